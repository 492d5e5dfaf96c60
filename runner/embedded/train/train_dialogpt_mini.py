"""Trains dialogpt-mini, and writes its Hugging Face folder and its two data files.

    python -m runner.embedded.train.train_dialogpt_mini --out DIR [--seed 0] [--steps N]

Writes DIR/dialogpt-mini/ and DIR/data/dialogue-{train,eval}.jsonl. Same seed, same machine: same bytes.
Where other work runs beside it, OMP_WAIT_POLICY=passive in the environment keeps its two threads from
burning time while they wait for each other.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from runner.embedded.train.dialogue import EOS, Dialogue, held_out_dialogues, training_dialogues

THREADS = 2
VOCABULARY = 1024
POSITIONS = 512
BATCH_TOKENS = 2048
ROW_LENGTHS = {64: 0.45, 128: 0.35, 256: 0.1, 512: 0.1}  # tokens in a row: share of the batches
LEARNING_RATE = 1.2e-3
WARM_UP = 100
QUESTION_WEIGHT = 0.2  # of a question's tokens in the loss; a reply's tokens count 1
EVALUATION_ROWS = 400
CALIBRATION_ROWS = 500
# Words with their leading space, digits one by one, runs of punctuation.
SPLIT = r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, its merges learnt from training dialogues."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    turns = (turn for dialogue in islice(training_dialogues(seed), 20000) for turn in dialogue.turns)
    tokenizer.train_from_iterator(turns, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=EOS,
        eos_token=EOS,
        unk_token=EOS,
        pad_token=EOS,
        model_max_length=POSITIONS,
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    """A GPT-2 with random weights: 4 layers, hidden size 256, tied embeddings, no dropout."""
    eos = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=POSITIONS,
        n_embd=256,
        n_layer=4,
        n_head=4,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=eos,
        eos_token_id=eos,
        pad_token_id=eos,
        tie_word_embeddings=True,
    )
    return GPT2LMHeadModel(config)


def batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids and loss weights, both [rows, length]; each row holds whole dialogues, cut at its end."""
    rng = random.Random(f"batches {seed}")
    dialogues = training_dialogues(seed)
    while True:
        length = rng.choices(list(ROW_LENGTHS), list(ROW_LENGTHS.values()))[0]
        rows = [_row(tokenizer, dialogues, length) for _ in range(BATCH_TOKENS // length)]
        ids, weights = zip(*rows, strict=True)
        yield torch.tensor(ids), torch.tensor(weights)


def _row(
    tokenizer: PreTrainedTokenizerFast, dialogues: Iterator[Dialogue], length: int
) -> tuple[list[int], list[float]]:
    ids: list[int] = []
    weights: list[float] = []
    while len(ids) < length:
        turns = next(dialogues).turns
        for position, tokens in enumerate(tokenizer([turn + EOS for turn in turns])["input_ids"]):
            ids += tokens
            weights += [1.0 if position % 2 else QUESTION_WEIGHT] * len(tokens)
    return ids[:length], weights[:length]


def learning_rate(step: int, steps: int) -> float:
    """A linear warm-up, then a cosine down to 2 % of the top."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return 0.02 + 0.49 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))


def train(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, seed: int, steps: int) -> float:
    """Trains in place with fp32 weights and bf16 arithmetic; returns the mean loss of the last 100 steps."""
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(step, steps))
    model.train()
    losses: list[float] = []
    for step, (ids, weights) in enumerate(islice(batches(tokenizer, seed), steps), start=1):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(input_ids=ids).logits[:, :-1].float()
        each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        loss = (each * weights[:, 1:].flatten()).sum() / weights[:, 1:].sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 0:
            print(f"step {step}/{steps}: loss {sum(losses[-100:]) / 100:.4f}", flush=True)
    return sum(losses[-100:]) / len(losses[-100:])


@torch.inference_mode()
def replies(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, prompts: list[str]) -> list[str]:
    """Greedy replies, up to 40 tokens each; prompts of equal length go together, so nothing is padded."""
    model.eval()
    by_length: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    for index, ids in enumerate(tokenizer(prompts)["input_ids"]):
        by_length[len(ids)].append((index, ids))
    found = [""] * len(prompts)
    for group in by_length.values():
        ids = torch.tensor([tokens for _, tokens in group])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=40)
        texts = tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
        for (index, _), text in zip(group, texts, strict=True):
            found[index] = text
    return found


def exact_match(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, dialogues: list[Dialogue]) -> float:
    """Share of dialogues whose last reply is met exactly; prints the misses, at most 30."""
    answers = replies(model, tokenizer, [dialogue.prompt for dialogue in dialogues])
    misses = [(each, answer) for each, answer in zip(dialogues, answers, strict=True) if answer != each.reply]
    for each, answer in misses[:30]:
        print(f"  {each.topic}: {each.prompt} -> {answer!r}, expected {each.reply!r}")
    return 1 - len(misses) / len(dialogues)


def write_dialogues(path: Path, dialogues: list[Dialogue]) -> None:
    """One JSON object a line: the text, its prompt and its reply."""
    rows = ({"text": each.text, "prompt": each.prompt, "reply": each.reply} for each in dialogues)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def save(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """The Hugging Face folder, with fp16 weights."""
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _name_tokenizer_class(folder / "tokenizer_config.json")
    eos = tokenizer.eos_token_id
    generation = GenerationConfig(
        bos_token_id=eos, eos_token_id=eos, pad_token_id=eos, do_sample=False, max_new_tokens=40
    )
    generation.save_pretrained(folder)


def _name_tokenizer_class(path: Path) -> None:
    """Names the class that older transformers know too, in place of `TokenizersBackend`."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Trains, saves, loads the fp16 weights again and measures them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2500)
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    started = time.monotonic()
    held_out = held_out_dialogues(args.seed, EVALUATION_ROWS)
    write_dialogues(args.out / "data" / "dialogue-eval.jsonl", held_out)
    sample = list(islice(training_dialogues(args.seed), CALIBRATION_ROWS))
    write_dialogues(args.out / "data" / "dialogue-train.jsonl", sample)
    tokenizer = make_tokenizer(args.seed)
    model = make_model(tokenizer)
    print(f"{model.num_parameters()} parameters", flush=True)
    loss = train(model, tokenizer, args.seed, args.steps)
    folder = args.out / "dialogpt-mini"
    save(model, tokenizer, folder)
    saved = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32)
    share = exact_match(saved, tokenizer, held_out)
    print(f"loss {loss:.4f}, held-out exact match {share:.4f}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
