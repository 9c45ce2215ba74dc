"""Chat templates in the four forms in which reasoning models are published.

They render Qwen-VL's turns with media. The forms: the template opens the thought (Qwen3-VL
Thinking), it closes an empty one unless told otherwise (small Qwen3.5, MiniCPM-V 4.5), it leaves
the choice to the model (Qwen3, GLM-4.5V), and it knows no marks (Qwen2.5-VL, MiMo-VL).
"""

_PARTS = (
    "{%- macro show(content) -%}{%- if content is string -%}{{ content }}{%- else -%}"
    "{%- for part in content -%}"
    "{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- elif part.type == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>"
    "{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}{%- endmacro -%}"
)
_SYSTEM = (
    "{%- if messages[0].role != 'system' -%}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{%- endif -%}"
)
_PLAIN_TURNS = (
    "{%- for m in messages -%}"
    "{{ '<|im_start|>' + m.role + '\n' + show(m.content) + '<|im_end|>\n' }}"
    "{%- endfor -%}"
)
_THINKING_TURNS = (
    "{%- for m in messages -%}{{ '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.role == 'assistant' and m.reasoning_content -%}"
    "{{ '<think>\n' + m.reasoning_content + '\n</think>\n\n' }}{%- endif -%}"
    "{{ show(m.content) + '<|im_end|>\n' }}{%- endfor -%}"
)
_PROMPT = "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}"
_OPENED, _EMPTY = "{{ '<think>\n' }}", "{{ '<think>\n\n</think>\n\n' }}"
_END = "{%- endif -%}"

OPENS = _PARTS + _SYSTEM + _THINKING_TURNS + _PROMPT + _OPENED + _END
CLOSED_BY_DEFAULT = (
    _PARTS
    + _SYSTEM
    + _THINKING_TURNS
    + _PROMPT
    + "{%- if enable_thinking is defined and enable_thinking is true -%}"
    + _OPENED
    + "{%- else -%}"
    + _EMPTY
    + "{%- endif -%}"
    + _END
)
FREE = (
    _PARTS
    + _SYSTEM
    + _THINKING_TURNS
    + _PROMPT
    + "{%- if enable_thinking is defined and enable_thinking is false -%}"
    + _EMPTY
    + "{%- endif -%}"
    + _END
)
NO_TAGS = _PARTS + _SYSTEM + _PLAIN_TURNS + _PROMPT + _END


def in_one_line(template: str) -> str:
    """Return a template whose marks have no line breaks around them (GLM-4.7, DeepSeek-V3.1)."""
    return template.replace("'<think>\n' }}", "'<think>' }}").replace(
        "'<think>\n\n</think>\n\n' }}", "'<think></think>' }}"
    )


def chosen_by_variable(forms: dict[str, str]) -> str:
    """Return one template that renders one of several, as its variable ``form`` says."""
    bodies = {name: text.removeprefix(_PARTS) for name, text in forms.items()}
    first = next(iter(bodies))
    branches = "".join(
        f"{{%- elif form == '{name}' -%}}{text}" for name, text in bodies.items() if name != first
    )
    chosen = f"{{%- if form is not defined or form == '{first}' -%}}{bodies[first]}{branches}"
    return _PARTS + chosen + "{%- endif -%}"
