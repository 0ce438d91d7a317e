"""What the best answer that never changes reaches in `transcription` and `speech-translation`: words right, 1 - WER.

No hearing is needed for it, so it is what those examples have to beat. Nothing but Python's standard library.

    python3 examples/reference/constant_answers.py
"""

import random

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def english(number):
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10 - 2]] + ([ONES[number % 10]] if number % 10 else [])
    return [*english(number // 100), "hundred", *(english(number % 100) if number % 100 else [])]


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def right(answer, truths):
    return 1 - sum(distance(answer, truth) for truth in truths) / sum(len(truth) for truth in truths)


def best(truths):
    """Words are put in, taken out and changed as long as that helps."""
    words = sorted({word for truth in truths for word in truth})
    answer, score = [], 0.0
    while True:
        options = [answer[:i] + answer[i + 1 :] for i in range(len(answer))]
        for word in words:
            options += [answer[:i] + [word] + answer[i + 1 :] for i in range(len(answer))]
            options += [answer[:i] + [word] + answer[i:] for i in range(len(answer) + 1)]
        reached, option = max((right(option, truths), option) for option in options)
        if reached <= score:
            return answer, score
        answer, score = option, reached


if __name__ == "__main__":
    answer, score = best([english(number) for number in range(1000)])
    print(f"speech-translation, all numbers below 1,000: {score:.4f} ({' '.join(answer)})")
    draw = random.Random(0)
    numbers = {tuple(ONES[draw.randrange(10)] for _ in range(draw.randint(3, 5))) for _ in range(1000)}
    answer, score = best(sorted(numbers))
    print(f"transcription, 1,000 numbers of three to five digits: {score:.4f} ({' '.join(answer)})")
