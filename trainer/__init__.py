"""SFT, GRPO and T-GRPO on TRL; empty until the trainer lands (see CHANGELOG)."""
