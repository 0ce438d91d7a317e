"""What PyTorch reaches by the protocol of examples/cartpole.ts: the same world, networks, algorithm and budget.

    python examples/reference/cartpole.py

PyTorch 2.15.0, 2026-11-30.
"""
import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
WORLDS, HORIZON, EPOCHS, BATCH, ROUNDS, LONGEST = 8, 128, 4, 256, 150, 500


def move(s, right):
    x, speed, angle, turning = s.T
    sin, cos = np.sin(angle), np.cos(angle)
    pushed = (np.where(right, 10.0, -10.0) + 0.05 * turning**2 * sin) / 1.1
    turn = (9.8 * sin - cos * pushed) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
    push = pushed - 0.05 * turn * cos / 1.1
    return np.stack([x + 0.02 * speed, speed + 0.02 * push, angle + 0.02 * turning, turning + 0.02 * turn], 1)


fallen = lambda s: (abs(s[:, 0]) > 2.4) | (abs(s[:, 2]) > np.radians(12))


def network(outputs, gain):
    layers = [nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs)]
    for layer, scale in zip(layers[::2], (2**0.5, 2**0.5, gain)):
        nn.init.orthogonal_(layer.weight, scale)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def run(seed):
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    start = lambda n: random.uniform(-0.05, 0.05, (n, 4))
    actor, critic = network(2, 0.01), network(1, 1.0)
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(parameters, 2.5e-4, eps=1e-5)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 1e-9, ROUNDS * EPOCHS * WORLDS * HORIZON // BATCH)
    states, stood = start(WORLDS), np.zeros(WORLDS, int)
    for _ in range(ROUNDS):
        rows = []
        for t in range(HORIZON + 1):
            x = torch.tensor(states, dtype=torch.float32)
            with torch.no_grad():
                chances, values = actor(x).softmax(-1).numpy(), critic(x).squeeze(-1).numpy()
            actions = (random.random(WORLDS) < chances[:, 1]).astype(int)
            after = move(states, actions == 1)
            over = fallen(after) | (stood + 1 == LONGEST)
            rows.append((x, actions, chances[np.arange(WORLDS), actions], values, over))
            if t == HORIZON:
                break
            stood = np.where(over, 0, stood + 1)
            states = np.where(over[:, None], start(WORLDS), after)
        advantage, advantages = np.zeros(WORLDS), []
        for t in range(HORIZON - 1, -1, -1):
            _, _, _, values, over = rows[t]
            surprise = 1 + 0.99 * np.where(over, 0, rows[t + 1][3]) - values
            advantage = surprise + np.where(over, 0, 0.99 * 0.95 * advantage)
            advantages.append(advantage)
        advantages = torch.tensor(np.stack(advantages[::-1]).ravel(), dtype=torch.float32)
        x, a, old, v = (torch.as_tensor(np.concatenate([np.asarray(row[i]) for row in rows[:HORIZON]])) for i in range(4))
        returns = advantages + v
        for _ in range(EPOCHS):
            for batch in torch.tensor(random.permutation(len(x))).split(BATCH):
                log = actor(x[batch]).log_softmax(-1)
                ratio = (log.gather(1, a[batch, None]).squeeze(1) - old[batch].log()).exp()
                chosen = advantages[batch]
                chosen = (chosen - chosen.mean()) / (chosen.std(unbiased=False) + 1e-8)
                gain = torch.minimum(ratio * chosen, ratio.clamp(0.8, 1.2) * chosen).mean()
                error = ((critic(x[batch]).squeeze(-1) - returns[batch]) ** 2).mean()
                entropy = -(log.exp() * log).sum(-1).mean()
                loss = 0.25 * error - gain - 0.01 * entropy
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 0.5)
                optimizer.step()
                schedule.step()
    states, upright, up = start(100), np.zeros(100), np.ones(100, bool)
    for _ in range(LONGEST):
        with torch.no_grad():
            right = actor(torch.tensor(states, dtype=torch.float32)).softmax(-1)[:, 1].numpy() > 0.5
        states = np.where(up[:, None], move(states, right), states)
        upright += up
        up &= ~fallen(states)
    return upright.mean()


scores = []
for seed in range(3):
    scores.append(run(seed))
    print("PyTorch", torch.__version__, "seed", seed, scores[-1], flush=True)
print("mean", np.mean(scores))
