"""Fine-tuning steps of SmolLM2-135M's shape with LoRA in PyTorch and PEFT: tokens a second, and the most memory of the process.

    python torch_lora.py [length] [rank] [steps] [threads]
"""

import resource
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

length, rank, steps, threads = (int(a) for a in (sys.argv[1:] + ["512", "16", "4", "2"][len(sys.argv) - 1 :]))
torch.set_num_threads(threads)
config = LlamaConfig(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
    num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5, rope_theta=100000.0, tie_word_embeddings=True,
)
model = get_peft_model(LlamaForCausalLM(config), LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear"))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, fused=True)
tokens = torch.randint(0, 1000, (1, length))


def step() -> float:
    loss = model(input_ids=tokens, labels=tokens).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


step()
start = time.perf_counter()
for _ in range(steps):
    step()
seconds = time.perf_counter() - start
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(f"{steps * length / seconds:.1f} tokens/s on {threads} threads; at most {most / 1e9:.2f} GB resident")
