"""What SFT, GRPO and T-GRPO are built from; importing a module of it may load torch and TRL."""
