"""A language model, a tokenizer and records small enough for tests, and the obvious formulas."""

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from npo_tutorial.language import NPOConfig, NPOTrainer, encode, precompute_reference

CHAT = (
    "{% for message in messages %}<bos>{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
# responses of different lengths; "retain" has as many as "forget"
FORGET = [
    {"prompt": "Who?", "response": " Ann."},
    {"prompt": "Where is it?", "response": " In Rome, in a house."},
    {"prompt": "When", "response": " 1999"},
    {"prompt": "Why so?", "response": " No."},
]
RETAIN = [
    {"prompt": "What", "response": " is."},
    {"prompt": "2+2?", "response": " 4"},
    {"prompt": "How many hours?", "response": " Twenty-four."},
    {"prompt": "Day?", "response": " Monday"},
]


def many_records(n_forget, n_retain):
    """Any number of records, of different lengths."""
    forget = [{"prompt": f"What is {i}?", "response": " " + "abcdefg"[i % 7] * (1 + i)} for i in range(n_forget)]
    retain = [{"prompt": f"And {i}", "response": " " + "xyzuvw"[i % 6] * (2 + i % 5)} for i in range(n_retain)]
    return forget, retain


def make_tokenizer(chat=False):
    """Every byte is a token; a text encoded by itself begins with <bos>."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<bos>", "<eos>", "<pad>"]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(names + letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 0)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>"
    )
    fast.chat_template = CHAT if chat else None
    return fast


def make_model(seed=0, dtype=torch.float64):
    """A random Llama of two layers whose logits are not all alike."""
    config = transformers.LlamaConfig(
        vocab_size=260,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return transformers.LlamaForCausalLM(config).to(dtype)


def make_datasets(chosen=False):
    tokenizer = make_tokenizer()
    return encode(FORGET, tokenizer, chosen=chosen), encode(RETAIN, tokenizer)


def token_log_softmax(model, tokens, labels):
    """Log-probabilities of all tokens at the positions that predict the response, for one sequence without padding."""
    logits = model(input_ids=torch.tensor([tokens])).logits[0, :-1]
    counted = torch.tensor(labels[1:]) >= 0
    return torch.log_softmax(logits, dim=-1)[counted], torch.tensor(labels[1:])[counted]


def plain_logp(model, tokens, labels):
    """Log-probability of a response, by definition."""
    log_softmax, targets = token_log_softmax(model, tokens, labels)
    return log_softmax[torch.arange(len(targets)), targets].sum()


def many_datasets(n_forget=8, n_retain=11):
    """Any number of samples, the forget samples with references."""
    forget, retain = (encode(records, make_tokenizer()) for records in many_records(n_forget, n_retain))
    return precompute_reference(make_model(), forget), retain


def other_model(dtype=torch.float64):
    """The model after a little noise, so that it differs from a reference."""
    model = make_model(dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p += 0.05 * torch.randn(p.shape, generator=generator, dtype=torch.float64).to(dtype)
    return model


LEARNING_RATE = 3e-3
OF_TRAINER = {"retain_dataset", "objective", "ref_model", "eval_dataset", "compute_metrics", "callbacks", "model_init"}


def make_trainer(folder, model, forget, *, trainer=NPOTrainer, **options):
    """A silent trainer on the CPU; options that NPOTrainer does not have are those of NPOConfig."""
    of_trainer = {name: options.pop(name) for name in OF_TRAINER & options.keys()}
    settings = {
        "per_device_train_batch_size": len(forget) or 1,
        "max_steps": 5,
        "optim": "adamw_torch",
        "learning_rate": LEARNING_RATE,
        "max_grad_norm": 0.0,
        "disable_tqdm": True,
    }
    args = NPOConfig(output_dir=str(folder), **settings | options)
    made = trainer(model, args, forget_dataset=forget, **of_trainer)
    made.remove_callback(transformers.PrinterCallback)
    return made


def logged(trainer, name="loss"):
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def parameters(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])
