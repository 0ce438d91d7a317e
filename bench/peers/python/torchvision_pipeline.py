"""Makes training samples of the JPEG files of each folder that comes in, with torchvision over Pillow, and answers how long it took."""

import json
import os
import sys
import time

import torch
from PIL import Image
from torchvision import transforms

torch.set_num_threads(1)
change = transforms.Compose(
    [
        transforms.RandomResizedCrop(224),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)

for line in sys.stdin:
    folder = line.strip()
    paths = [os.path.join(folder, name) for name in os.listdir(folder)]
    start, cpu = time.perf_counter(), time.process_time()
    images = 0
    for path in paths:
        with open(path, "rb") as file:
            images += change(Image.open(file).convert("RGB")).numel() == 3 * 224 * 224
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"images": images, "seconds": seconds, "cpuSeconds": cpu_seconds}), flush=True)
