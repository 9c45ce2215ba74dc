"""What `videor1 train serve` adds to the workers of a vLLM server: weights from a folder.

vLLM mixes the class into its worker (``--worker-extension-cls``), and calls the method by name
through ``/collective_rpc``. vLLM's own ``reload_weights`` takes the model apart before it looks for
the files, so that a folder which this machine does not see would end the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class WeightsFromFolder:
    """Mixin of a vLLM worker: replaces the weights of the model that it serves."""

    reload_weights: Any
    trained_weights: str | None = None
    """The folder that the weights came from; None: the checkpoint that is served."""

    def load_trained_weights(self, folder: str) -> dict[str, str]:
        """Replace the weights, unless they are these; return what is wrong as ``error``.

        Args:
            folder: A folder with safetensors files.
        """
        if not any(Path(folder).glob("*.safetensors")):
            return {"error": f"the server sees no weights in {folder}"}
        if folder == self.trained_weights:
            return {"unchanged": folder}
        self.trained_weights = None
        self.reload_weights(weights_path=folder)
        self.trained_weights = folder
        return {}
