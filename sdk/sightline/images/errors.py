"""What can go wrong with images. Each says in one sentence what is so and what to do.

ImageError
├── MisnamedError    a reference, a platform or an option that means nothing
├── ToolError        a program is missing, too old, or failed
├── RegistryError    a registry does not answer, or refuses
│   └── AbsentError  it has no such image
├── DamageError      bytes are not what their digest says, or are no image at all
├── KeyFileError     a key cannot be read, or not with this password
├── SignatureError   it is not signed, or not by this key, or something else is
└── RefusedError     it would be unsafe: said so instead of done
"""


class ImageError(Exception):
    """The base of all of them."""


class MisnamedError(ImageError):
    """A reference, a platform or an option that means nothing."""


class ToolError(ImageError):
    """A program is missing, too old, or failed."""


class RegistryError(ImageError):
    """A registry does not answer, or refuses."""


class AbsentError(RegistryError):
    """There is no such image, tag or blob."""


class DamageError(ImageError):
    """Bytes are not what their digest says, or are no image at all."""


class KeyFileError(ImageError):
    """A key cannot be read, or not with this password."""


class SignatureError(ImageError):
    """It is not signed, or not by this key, or it is something else that was signed."""


class RefusedError(ImageError):
    """It would be unsafe, and is not done."""
