"""Base images: the operating systems that machines start from, made or fetched once and kept."""

from sandbox.images.base_image import BaseImage, available_packages, ensure_base

__all__ = ["BaseImage", "available_packages", "ensure_base"]
