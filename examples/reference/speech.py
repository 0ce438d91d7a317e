"""What scikit-learn and PyTorch reach on speech like that of examples/keywords.ts, transcription.ts, speech-translation.ts and prosody.ts.

    python examples/reference/speech.py [keywords|transcription|translation|prosody] [SEEDS]

Python 3.11, scikit-learn 1.9.1, PyTorch 2.15.0, eSpeak NG 1.51, 2026-11-30. Voices, words and numbers are drawn likewise, not the same.
"""
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

torch.set_num_threads(2)
rate, bands, hop = 22050, 32, 256
voices = re.findall(r"\w+", " ".join(re.findall(r'^  "(.*?)"', (Path(__file__).parents[1] / "support/speech.ts").read_text(), re.M)))


def speak(text, voice, language, tempo, pitch, *flags):
    command = ["espeak-ng", "-v", f"{language}+{voice}", "-s", str(tempo), "-p", str(pitch), "-z", *flags, "--stdout", text]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data[44:], "<i2").astype(np.float32) / 32768


def mel_filters():
    mel, hertz = lambda f: 2595 * np.log10(1 + f / 700), lambda m: 700 * (10 ** (m / 2595) - 1)
    corners = hertz(np.linspace(mel(60), mel(8000), bands + 2))
    bins = np.linspace(0, rate / 2, 257)
    rise = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    fall = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


filters, window = mel_filters(), np.hanning(513)[:512]


def spectrum(sound, length):
    count = min(len(sound), length) // hop + 1
    padded = np.pad(np.pad(sound[:length], (0, max(0, length - len(sound)))), 256, mode="reflect")
    frames = np.stack([padded[i * hop : i * hop + 512] * window for i in range(length // hop + 1)])
    log = np.log(np.abs(np.fft.rfft(frames)) ** 2 @ filters.T + 1e-4)
    result = (log - log[:count].mean(0)) / 3
    result[count:] = 0
    return result.astype(np.float32)


def noisy(sound, noise, decibels):
    part = noise[: len(sound)]
    return sound + part * np.sqrt((sound**2).mean() / ((part**2).mean() * 10 ** (decibels / 10)))


def keywords(seed):
    draw, normal = random.Random(seed), np.random.default_rng(seed)
    words = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
    accents = ["en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029"]
    people = draw.sample(voices, 68)
    say = lambda who, times: [
        (speak(word, voice, draw.choice(accents), draw.randint(130, 220), draw.randint(20, 80)), label)
        for voice in who for label, word in enumerate(words) for _ in range(times)
    ]
    train, test = say(people[:48], 2), say(people[48:], 1)
    source = (Path(__file__).parents[1] / "keywords.ts").read_text()
    train_text, test_text = re.findall(r'^const talkTo\w+ =\s+"(.*?)"', source, re.M)
    rooms, others = [[speak(text, voice, "en-gb", 170, 50) for voice in who] for text, who in ((train_text, people[:48]), (test_text, people[48:56]))]

    def talk(rooms):
        starts = [(room, draw.randrange(len(room) - 20000)) for room in draw.choices(rooms, k=4)]
        return sum(room[at : at + 20000] for room, at in starts)

    of = lambda sounds: np.stack([spectrum(sound, 20000).ravel() for sound in sounds])
    known = [sound for sound, _ in train]
    hissed = [noisy(sound, normal.normal(size=len(sound)), draw.uniform(0, 20)) for sound in known]
    talked = [noisy(sound[:20000], talk(rooms), draw.uniform(-5, 15)) for _ in range(2) for sound in known]
    model = SVC(C=10).fit(of(known + hissed + talked), [label for _, label in train] * 4)
    truth = [label for _, label in test]
    clean = model.score(of([sound for sound, _ in test]), truth)
    loud = [model.score(of([noisy(sound[:20000], talk(others), level) for sound, _ in test]), truth) for level in (10, 0)]
    print("keywords:", round(clean, 4), "in talk 10 dB below:", round(loud[0], 4), "as loud:", round(loud[1], 4))


class Writer(nn.Module):
    def __init__(self, letters):
        super().__init__()
        self.convolution, self.norm = nn.Conv1d(bands, 64, 7, stride=3, padding=3), nn.BatchNorm1d(64)
        self.gru, self.output = nn.GRU(64, 64, bidirectional=True, batch_first=True), nn.Linear(128, letters)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        if self.training:
            x = hidden(hidden(x, 1, 12), 2, 8)
        steps = self.norm(self.convolution(x.transpose(1, 2))).relu().transpose(1, 2)
        return self.output(self.dropout(self.gru(self.dropout(steps))[0]))


def hidden(x, axis, width):
    """SpecAugment: of each spectrum a stretch of up to `width` bands or moments is 0."""
    size = x.shape[axis]
    widths = torch.randint(width + 1, (len(x), 1))
    starts = (torch.rand(len(x), 1) * (size - widths + 1)).long()
    places = torch.arange(size)
    keep = (places < starts) | (places >= starts + widths)
    return x * (keep[:, :, None] if axis == 1 else keep[:, None])


def at_speed(sound, factor):
    return np.interp(np.arange(0, len(sound) - 1, factor), np.arange(len(sound)), sound).astype(np.float32)


def errors(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (x != y)))
    return row[-1]


def transcription(seed):
    draw = random.Random(seed)
    torch.manual_seed(seed)
    digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    letters = "_ efghinorstuvwxz"
    people = draw.sample(voices, 68)
    texts = set()
    while len(texts) < 900:
        texts.add(" ".join(draw.choices(digits, k=draw.randint(3, 5))))
    texts = draw.sample(sorted(texts), len(texts))
    accents = ["en-us", "en-gb", "en-gb-x-rp", "en-029"]
    say = lambda text, who: speak(text, draw.choice(who), draw.choice(accents), draw.randint(140, 190), draw.randint(20, 80))
    test, train = texts[:150], texts[150:] * 2
    sounds = [say(text, people[:48]) for text in train]
    sounds[750:] = [at_speed(sound, draw.uniform(0.85, 1.15)) for sound in sounds[750:]]
    x = torch.tensor(np.stack([spectrum(sound, 61440) for sound in sounds]))
    seen = torch.tensor(np.stack([spectrum(say(text, people[48:]), 61440) for text in test]))
    codes = [torch.tensor([letters.index(letter) for letter in text]) for text in train]
    model, epochs, size = Writer(len(letters)), 25, 16
    steps = epochs * -(-len(train) // size)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1, cycle_momentum=False)
    for _ in range(epochs):
        for rows in torch.randperm(len(train)).split(size):
            logs = model(x[rows]).log_softmax(-1).transpose(0, 1)
            targets = [codes[row] for row in rows]
            loss = nn.functional.ctc_loss(
                logs, torch.cat(targets), torch.full((len(rows),), logs.shape[0]), torch.tensor([len(t) for t in targets])
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimizer.step()
            schedule.step()
    called = model.eval()(seen).argmax(-1)
    said = ["".join(letters[c] for i, c in enumerate(row) if c and (i == 0 or c != row[i - 1])).strip() for row in called.tolist()]
    wrong = sum(errors(a.split(), b.split()) for a, b in zip(said, test))
    print("transcription: words right", round(1 - wrong / sum(len(text.split()) for text in test), 4))


ones = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
vocabulary = ["<pad>", "<start>", "<end>", *ones, *tens, "hundred"]


def english(number):
    if number < 20:
        return [ones[number]]
    if number < 100:
        return [tens[number // 10 - 2]] + (english(number % 10) if number % 10 else [])
    return english(number // 100) + ["hundred"] + (english(number % 100) if number % 100 else [])


class Interpreter(nn.Module):
    """A GRU reads the sound both ways, another writes; between them Luong's attention: the network of speech-translation.ts."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv1d(bands, 64, 7, stride=4, padding=3), nn.BatchNorm1d(64)
        self.encoder = nn.GRU(64, 64, bidirectional=True, batch_first=True)
        self.embedding, self.decoder = nn.Embedding(len(vocabulary), 32), nn.GRU(32, 64, batch_first=True)
        self.attention, self.dropout, self.output = nn.Linear(64, 128, bias=False), nn.Dropout(0.2), nn.Linear(192, len(vocabulary))

    def forward(self, x, words):
        sound = self.encoder(self.norm(self.convolution(x.transpose(1, 2))).relu().transpose(1, 2))[0]
        written = self.decoder(self.embedding(words))[0]
        context = (self.attention(written) @ sound.transpose(1, 2)).softmax(-1) @ sound
        return self.output(self.dropout(torch.cat([context, written], -1)))


def translation(seed):
    draw = random.Random(seed)
    torch.manual_seed(seed)
    people, numbers = draw.sample(voices, 68), draw.sample(range(1000), 1000)
    say = lambda number, who: spectrum(speak(str(number), draw.choice(who), "de", draw.randint(150, 210), draw.randint(20, 80)), 46080)
    test, train = numbers[:150], numbers[150:]
    x = torch.tensor(np.stack([say(number, people[:48]) for number in train]))
    seen = torch.tensor(np.stack([say(number, people[48:]) for number in test]))
    padded = lambda rows: torch.tensor([row + [0] * (6 - len(row)) for row in rows])
    codes = [[vocabulary.index(word) for word in english(number)] for number in train]
    read, answers = padded([[1, *row] for row in codes]), padded([[*row, 2] for row in codes])
    model, epochs, size = Interpreter(), 24, 16
    optimizer = torch.optim.AdamW(model.parameters(), 4e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(train) // size), 1e-5)
    for _ in range(epochs):
        for rows in torch.randperm(len(train)).split(size):
            loss = nn.functional.cross_entropy(model(x[rows], read[rows]).flatten(0, 1), answers[rows].flatten(), ignore_index=0)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimizer.step()
            schedule.step()
    model.eval()
    written = torch.full((len(test), 1), 1)
    with torch.no_grad():
        for _ in range(5):
            written = torch.cat([written, model(seen, written)[:, -1:].argmax(-1)], 1)
    said = [[vocabulary[c] for c in row[: row.index(2) if 2 in row else None]] for row in written[:, 1:].tolist()]
    truth = [english(number) for number in test]
    wrong = sum(errors(a, b) for a, b in zip(said, truth))
    print("translation: words right", round(1 - wrong / sum(map(len, truth)), 4))


moods = {  # as in prosody.ts: tempo times, pitch plus, range in percent, loudness
    "calm": ((0.85, 1), (-8, 4), (60, 100), "medium"),
    "joyful": ((1.05, 1.25), (6, 20), (160, 240), "loud"),
    "sad": ((0.65, 0.85), (-16, -2), (10, 40), "soft"),
    "angry": ((1.1, 1.35), (-8, 6), (40, 90), "x-loud"),
}


def prosody(seed):
    draw = random.Random(seed)
    people = draw.sample(voices, 68)
    source = (Path(__file__).parents[1] / "prosody.ts").read_text()
    sentences = "".join(re.findall(r'^  "(.*?)"', source, re.M)).split("|")
    texts = draw.sample(sentences, len(sentences))

    def say(mood, text, voice):
        tempo, pitch, extent, volume = moods[mood]
        marked = f'<speak><prosody range="{round(draw.uniform(*extent))}%" volume="{volume}">{text}</prosody></speak>'
        base = round(draw.uniform(155, 185) * draw.uniform(*tempo)), round(draw.uniform(35, 65) + draw.uniform(*pitch))
        return statistics(speak(marked, voice, draw.choice(["en-us", "en-gb"]), *base, "-m"))

    def part(who, texts, times):
        rows = [(say(mood, draw.choice(texts), voice), mood) for voice in who for mood in moods for _ in range(times)]
        return np.stack([x for x, _ in rows]), [mood for _, mood in rows]

    train, test = part(people[:48], texts[:16], 4), part(people[48:], texts[16:], 2)
    model = make_pipeline(StandardScaler(), SVC(C=10)).fit(*train)
    print("prosody: accuracy", round(model.score(*test), 4))


def statistics(sound):
    """How each band moves, and how long it lasts: deviations, quantiles, steps from frame to frame."""
    length = 44032
    x = spectrum(sound, length)[: min(len(sound), length) // hop + 1]
    steps = np.diff(x, axis=0)
    return np.concatenate([x.std(0), *np.quantile(x, [0.1, 0.5, 0.9], axis=0), np.abs(steps).mean(0), steps.std(0), [len(sound) / rate]])


tasks = {"keywords": keywords, "transcription": transcription, "translation": translation, "prosody": prosody}
chosen = [word for word in sys.argv[1:] if word in tasks] or list(tasks)
count = int(next((word for word in sys.argv[1:] if word.isdigit()), 3))
for task in chosen:
    for seed in range(count):
        tasks[task](seed)
