"""Trains digits-cnn on scikit-learn's digits, and writes its Hugging Face folder and its two data files.

    python -m runner.embedded.train.train_digits_cnn --out DIR [--seed 0] [--steps N]

Writes DIR/digits-cnn/ and DIR/data/digits-{calibration,evaluation}.npz. Same seed, same machine: same bytes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from transformers import ResNetConfig, ResNetForImageClassification

THREADS = 1
EVALUATION_IMAGES = 450
CALIBRATION_IMAGES = 300
BATCH = 128
LEARNING_RATE = 4e-3
SCALE = 1 / 16  # the pixels are 0..16; the model takes 0..1


def make_model() -> ResNetForImageClassification:
    """A ResNet with random weights for one channel of 8x8 pixels: the stem leaves 2x2, then two residual blocks."""
    config = ResNetConfig(
        num_channels=1,
        image_size=8,
        embedding_size=64,
        hidden_sizes=[64],
        depths=[2],
        layer_type="basic",
        id2label={index: str(index) for index in range(10)},
        label2id={str(index): index for index in range(10)},
    )
    return ResNetForImageClassification(config)


def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Images [N, 1, 8, 8], each moved, turned, sheared and scaled a little."""
    count = len(images)
    noise = torch.randn(count, 2, 3, generator=generator) * torch.tensor([0.08, 0.08, 0.12])
    grid = torch.nn.functional.affine_grid(torch.eye(2, 3) + noise, list(images.shape), align_corners=False)
    return torch.nn.functional.grid_sample(images, grid, align_corners=False)


def as_input(images: np.ndarray) -> torch.Tensor:
    """uint8 NHWC [N, 8, 8, 1] with values 0..16 -> float32 NCHW [N, 1, 8, 8] with values 0..1."""
    return torch.from_numpy(images.astype(np.float32) * SCALE).permute(0, 3, 1, 2).contiguous()


def train(
    model: ResNetForImageClassification, images: torch.Tensor, labels: torch.Tensor, steps: int, seed: int
) -> float:
    """Trains in place; returns the mean loss of the last 50 steps."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    model.train()
    losses: list[float] = []
    for step in range(1, steps + 1):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        logits = model(pixel_values=shifted(images[chosen], generator)).logits
        loss = torch.nn.functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 200 == 0:
            print(f"step {step}/{steps}: loss {sum(losses[-50:]) / 50:.4f}", flush=True)
    return sum(losses[-50:]) / len(losses[-50:])


@torch.inference_mode()
def accuracy(model: ResNetForImageClassification, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of images whose highest logit is the label's."""
    model.eval()
    return float((model(pixel_values=images).logits.argmax(-1) == labels).double().mean())


def main() -> None:
    """Trains, saves, and measures on images that training never saw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=600)
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    started = time.monotonic()
    digits = load_digits()
    images = digits.images.astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    split = train_test_split(images, labels, test_size=EVALUATION_IMAGES, stratify=labels, random_state=args.seed)
    train_images, held_images, train_labels, held_labels = split
    data = args.out / "data"
    data.mkdir(parents=True, exist_ok=True)
    few = slice(CALIBRATION_IMAGES)
    np.savez_compressed(data / "digits-calibration.npz", images=train_images[few], labels=train_labels[few])
    np.savez_compressed(data / "digits-evaluation.npz", images=held_images, labels=held_labels)
    model = make_model()
    print(f"{model.num_parameters()} parameters", flush=True)
    loss = train(model, as_input(train_images), torch.from_numpy(train_labels), args.steps, args.seed)
    model.save_pretrained(args.out / "digits-cnn")
    share = accuracy(model, as_input(held_images), torch.from_numpy(held_labels))
    print(f"loss {loss:.4f}, held-out accuracy {share:.4f}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
