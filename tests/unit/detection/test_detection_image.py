"""Bytes to pixels: what is taken, which way is up, and what never gets further than its header."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from detection import image, jpeg
from detection.errors import ImageError, ImageSizeError, ImageTypeError
from fakes.images import encoded, oriented, painted

KINDS = {"JPEG": "JPEG", "PNG": "PNG", "WEBP": "WebP", "TIFF": "TIFF"}
LOSSLESS = [
    ("PNG", {}),
    ("WEBP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
]
GREY = 114
"""What Ultralytics pads with, and what shows behind transparent pixels."""


def noise(width: int, height: int, *, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def decoded(data: bytes, size: tuple[int, int] | None = None) -> np.ndarray:
    picture = image.read(data, max_megapixels=64)
    width, height = size or (picture.width, picture.height)
    upright = image.decode(picture, width=width, height=height)
    assert upright.dtype == np.uint8
    assert upright.shape == (height, width, 3)
    return upright


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8) -> bytes:
    """A PNG whose header states whatever it is told to."""
    head = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in ((b"IHDR", head), *chunks):
        check = zlib.crc32(kind + data)
        parts.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check))
    return b"".join(parts)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_bytes_tell_the_format(kind):
    data = encoded(noise(5, 7), kind)
    assert image.sniff(data) == KINDS[kind]
    picture = image.read(data, max_megapixels=1)
    assert (picture.format, picture.width, picture.height) == (KINDS[kind], 5, 7)


def test_a_tiff_may_be_of_either_byte_order():
    # One strip of 4 x 3 pixels in RGB, written out by hand.
    pixels = np.asarray(noise(4, 3))
    for mark, order in ((b"II", "<"), (b"MM", ">")):
        entries = [
            *((tag, 4, 1, value) for tag, value in ((256, 4), (257, 3))),
            *((tag, 3, 1, value) for tag, value in ((259, 1), (262, 2), (277, 3))),
            (258, 3, 3, 200),  # three numbers do not fit in the entry: where they are
            (273, 4, 1, 206),
            (279, 4, 1, 36),
        ]
        body = mark + struct.pack(order + "HIH", 42, 8, len(entries))
        for tag, kind, count, value in sorted(entries):
            short = kind == 3 and count == 1
            body += struct.pack(order + "HHI", tag, kind, count)
            body += struct.pack(order + ("HH" if short else "I"), *([value, 0][: 1 + short]))
        body = body.ljust(200, b"\0") + struct.pack(order + "3H", 8, 8, 8) + pixels.tobytes()
        np.testing.assert_array_equal(decoded(body), pixels)


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"\xff\xd8",
        b"\x89PNG",
        b"RIFF\0\0\0\0WAVE",
        b"II\x2b\0",
        b"%PDF-1.7",
        encoded(noise(4, 4), "GIF"),
        encoded(noise(4, 4), "BMP"),
    ],
)
def test_anything_else_is_refused_by_its_first_bytes(data):
    assert image.sniff(data) is None
    with pytest.raises(ImageTypeError) as caught:
        image.read(data, max_megapixels=1)
    assert caught.value.field == "image"
    assert all(kind in str(caught.value) for kind in KINDS.values())


def test_no_bytes_at_all_are_named():
    with pytest.raises(ImageError, match="image: is empty"):
        image.read(b"", max_megapixels=1)


@pytest.mark.parametrize(("kind", "options"), LOSSLESS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (31, 17), (64, 48)])
def test_lossless_formats_give_every_pixel_as_it_was(kind, options, size):
    picture = noise(*size)
    np.testing.assert_array_equal(decoded(encoded(picture, kind, **options)), np.asarray(picture))


def test_a_jpeg_gives_every_pixel_about_as_it_was():
    picture = painted(37, 23, {"red": (8, 8, 24, 16)})
    assert np.abs(decoded(encoded(picture, "JPEG")).astype(int) - np.asarray(picture)).mean() < 2


@pytest.mark.parametrize("mode", ["1", "L", "P"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_and_palettes_become_rgb(mode, kind):
    picture = noise(12, 9).convert(mode)
    expected = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(decoded(encoded(picture, kind)), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("PNG", {}), ("WEBP", {}), ("TIFF", {})]
)
def test_every_orientation_is_turned_upright(orientation, kind, options):
    # Odd, not square, and with nothing symmetrical in it.
    upright = painted(45, 27, {"red": (0, 0, 16, 9), "blue": (30, 18, 45, 27)})
    data = oriented(upright, orientation, kind)
    picture = image.read(data, max_megapixels=1)
    assert (picture.width, picture.height) == (45, 27)
    difference = decoded(data).astype(int) - np.asarray(upright)
    assert np.abs(difference).mean() < (2.0 if kind == "JPEG" else 1e-9)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "raw"])
@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_a_compressed_tiff_is_turned_as_well(orientation, compression):
    upright = noise(21, 10)
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = Image.open(BytesIO(oriented(upright, orientation, "PNG"))).convert("RGB")
    data = encoded(plain, "TIFF", compression=compression, exif=exif)
    np.testing.assert_array_equal(decoded(data), np.asarray(upright))


@pytest.mark.parametrize("value", [0, 9, 255])
def test_an_orientation_that_makes_no_sense_changes_nothing(value):
    exif = Image.Exif()
    exif[0x0112] = value
    picture = noise(9, 5)
    for kind in ("PNG", "WEBP"):
        data = encoded(picture, kind, exif=exif)
        np.testing.assert_array_equal(decoded(data), np.asarray(picture))


def test_turning_and_scaling_together_keep_things_where_they_are():
    upright = painted(800, 400, {"red": (80, 40, 240, 120)})
    for orientation in range(1, 9):
        pixels = decoded(oriented(upright, orientation), (100, 50)).astype(int)
        red = (pixels[..., 0] > 200) & (pixels[..., 1] < 50)
        rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
        found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert found == pytest.approx((10, 5, 30, 15), abs=1), orientation


@pytest.mark.parametrize(
    ("wanted", "divisor"),
    [
        ((200, 150), 8),
        ((201, 150), 4),
        ((400, 300), 4),
        ((300, 225), 4),
        ((401, 301), 2),
        ((800, 600), 2),
        ((801, 600), 1),
        ((3200, 2400), 1),
    ],
)
def test_a_much_larger_jpeg_is_decoded_at_a_fraction_of_its_size(wanted, divisor):
    # Never smaller than what was asked for: that would cost sharpness.
    assert jpeg.divisor((1600, 1200), wanted) == divisor
    data = encoded(painted(1600, 1200, {"red": (160, 160, 320, 320)}), "JPEG")
    pixels = jpeg.decode(data, size=(1600, 1200), divisor=divisor)
    assert pixels is not None
    assert pixels.shape == (1200 // divisor, 1600 // divisor, 3)


@pytest.mark.parametrize("size", [(640, 480), (641, 483), (99, 1000), (37, 23)])
@pytest.mark.parametrize("wanted", [(32, 24), (80, 60), (160, 121), (400, 300)])
def test_pillow_gives_about_the_same_where_the_quick_decoder_refuses(monkeypatch, size, wanted):
    shapes = painted(*size, {"red": (4, 4, 20, 18)}).resize((size[0], size[1]))
    data = encoded(shapes, "JPEG", quality=95)
    quick = decoded(data, wanted).astype(int)
    monkeypatch.setattr(jpeg, "decode", lambda *_, **__: None)
    slow = decoded(data, wanted)
    assert np.abs(quick - slow).mean() < 1.5


@settings(deadline=None, max_examples=60)
@given(st.integers(65, 400), st.integers(65, 400), st.integers(3, 20))
def test_reduced_decoding_of_odd_sizes_does_not_shift_anything(width, height, divisor):
    """A ramp shows it: each pixel of the small copy must have the value of its place."""
    across = np.broadcast_to(np.linspace(10, 245, width), (height, width))
    down = np.broadcast_to(np.linspace(10, 245, height)[:, None], (height, width))
    ramp = np.stack([across, down, np.full((height, width), 128.0)], axis=-1)
    data = encoded(Image.fromarray(np.round(ramp).astype(np.uint8)), "JPEG")
    small = (max(1, width // divisor), max(1, height // divisor))
    pixels = decoded(data, small)

    def at_its_place(full: int, scaled: int) -> np.ndarray:
        place = (np.arange(scaled) + 0.5) * full / scaled - 0.5
        return 10 + 235 * place / (full - 1)

    # Three levels of a JPEG's own error, and the reach of the filter at the edges.
    reach = 3 + 235 / min(small) / 4
    assert np.abs(pixels[..., 0].mean(axis=0) - at_its_place(width, small[0])).max() < reach
    assert np.abs(pixels[..., 1].mean(axis=1) - at_its_place(height, small[1])).max() < reach


def test_transparent_pixels_are_the_grey_of_the_padding():
    picture = Image.new("RGBA", (3, 1))
    picture.putpixel((0, 0), (255, 0, 0, 0))
    picture.putpixel((1, 0), (255, 0, 0, 255))
    picture.putpixel((2, 0), (214, 14, 114, 128))
    for kind in ("PNG", "TIFF", "WEBP"):
        hidden, shown, half = decoded(encoded(picture, kind, exact=True))[0].tolist()
        assert hidden == [GREY] * 3
        assert shown == [255, 0, 0]
        # Half of the way between the colour and the grey.
        assert half == pytest.approx([164, 64, 114], abs=1)


def test_transparency_of_grey_and_of_a_palette_counts_as_well():
    grey = Image.new("LA", (2, 1))
    grey.putpixel((0, 0), (250, 0))
    grey.putpixel((1, 0), (250, 255))
    assert decoded(encoded(grey))[0].tolist() == [[GREY] * 3, [250] * 3]
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    assert decoded(encoded(palette, transparency=0))[0].tolist() == [[GREY] * 3, [0, 0, 255]]
    keyed = Image.new("RGB", (2, 1), (1, 2, 3))
    keyed.putpixel((1, 0), (9, 9, 9))
    assert decoded(encoded(keyed, transparency=(1, 2, 3)))[0].tolist() == [[GREY] * 3, [9] * 3]


def test_megapixels_are_taken_up_to_the_limit_and_not_beyond():
    data = encoded(noise(100, 50))
    image.read(data, max_megapixels=0.005)
    with pytest.raises(ImageSizeError, match="100 x 50") as caught:
        image.read(data, max_megapixels=0.004_999)
    assert caught.value.limit == "0.004999 megapixels"


def test_a_side_is_taken_up_to_the_contracts_limit_and_not_beyond():
    longest = Image.new("RGB", (65_536, 1))
    for kind in ("PNG", "TIFF"):
        assert image.read(encoded(longest, kind), max_megapixels=1).width == 65_536
    with pytest.raises(ImageSizeError, match="65536"):
        image.read(png(65_537, 1, (b"IDAT", b"")), max_megapixels=1)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_an_image_without_pixels_is_refused(size):
    with pytest.raises(ImageError):
        image.read(png(*size, (b"IDAT", b"")), max_megapixels=1)


def test_sixteen_bits_of_colour_are_refused_and_never_halved_in_silence():
    rows = (b"\0" + b"\x12\x34" * 24) * 8
    data = png(8, 8, (b"IDAT", zlib.compress(rows)), (b"IEND", b""), depth=16)
    with pytest.raises(ImageError, match="16 bits"):
        image.read(data, max_megapixels=1)


def test_a_jpeg_with_a_preview_inside_is_its_first_image():
    first = painted(32, 16, {"red": (0, 0, 16, 16)})
    second = painted(8, 8, {"blue": (0, 0, 8, 8)})
    buffer = BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=95)
    picture = image.read(buffer.getvalue(), max_megapixels=1)
    assert (picture.width, picture.height) == (32, 16)
    assert np.abs(decoded(buffer.getvalue()).astype(int) - np.asarray(first)).mean() < 5


SAMPLES = [
    *(encoded(painted(40, 30, {"red": (5, 5, 20, 20)}), kind) for kind in KINDS),
    *(oriented(painted(40, 30, {"red": (5, 5, 20, 20)}), 6, kind) for kind in KINDS),
    encoded(noise(12, 9).quantize(8), "PNG", transparency=1),
    encoded(noise(12, 9).convert("LA"), "PNG"),
    encoded(noise(12, 9), "TIFF", compression="tiff_lzw"),
]


def attempt(data: bytes) -> bool:
    """Whether it is an image; nothing else may come of it but an ImageError."""
    try:
        picture = image.read(data, max_megapixels=1)
        size = min(picture.width, 32), min(picture.height, 32)
        upright = image.decode(picture, width=size[0], height=size[1])
    except ImageError:
        return False
    assert upright.shape == (size[1], size[0], 3)
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("sample", SAMPLES)
def test_an_image_that_is_cut_is_refused_or_whole_but_never_crashes(sample):
    assert attempt(sample)
    halves = [attempt(sample[:length]) for length in range(0, len(sample) // 2, 3)]
    assert not any(halves)
    for length in range(len(sample) // 2, len(sample), 7):
        attempt(sample[:length])


# libtiff writes what it thinks of a file to stderr, past Python.
@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SAMPLES), st.data())
def test_an_image_with_wrong_bytes_never_crashes(sample, data):
    broken = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        last = data.draw(st.sampled_from([40, 200, len(sample)]))
        at = data.draw(st.integers(0, min(last, len(sample)) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    attempt(bytes(broken))
