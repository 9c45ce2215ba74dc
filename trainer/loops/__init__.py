"""Building blocks of SFT, GRPO and T-GRPO; importing its modules may load torch and TRL."""
