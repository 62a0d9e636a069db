"""Section ``inference``: which models run, and where."""

from pathlib import Path

from pydantic import Field

from node.config.section import Section


class InferenceConfig(Section):
    """Which models run, and where."""

    models_dir: Path | None = Field(
        None, description="Folder that holds one folder for each model; empty: the models that come with the package."
    )
    sagittal_segmentation: str = Field(
        "sagittal-segmentation", description="Folder name of the model that segments sagittal slices."
    )
    axial_segmentation: str = Field("axial-segmentation", description="Folder name of the model that segments axial slices.")
    keypoints: str = Field("keypoints", description="Folder name of the model that finds the corners of C3 to C7.")
    providers: tuple[str, ...] = Field(
        ("tensorrt", "cuda", "cpu"),
        description="Execution providers in order of preference; the first that works is used: tensorrt, cuda, cpu.",
    )
    threads: int = Field(0, ge=0, le=256, description="Threads for one model on the CPU; 0: one for each core.")
    batch_size: int = Field(4, ge=1, le=256, description="Slices in one batch.")
