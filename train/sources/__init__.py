"""Readers: where the photographs of each data set lie on disk, and who trains and who tests."""

from train.sources.canada import canada_photos
from train.sources.ck import ck_groups, ck_sequences
from train.sources.crema import crema_groups, crema_report, crema_sequences
from train.sources.london import Pair, london_pairs, london_sequences, person_of, split_people
from train.sources.oulu import oulu_groups, oulu_sequences
from train.sources.own_folder import own_groups, own_sequences
from train.sources.sequences import (
    DataError,
    Reading,
    Sequence,
    Skipped,
    Still,
    skipped_list,
    usable,
)
from train.sources.splits import Split, draw_split, read_split

__all__ = [
    "DataError",
    "Pair",
    "Reading",
    "Sequence",
    "Skipped",
    "Split",
    "Still",
    "canada_photos",
    "ck_groups",
    "ck_sequences",
    "crema_groups",
    "crema_report",
    "crema_sequences",
    "draw_split",
    "london_pairs",
    "london_sequences",
    "oulu_groups",
    "oulu_sequences",
    "own_groups",
    "own_sequences",
    "person_of",
    "read_split",
    "skipped_list",
    "split_people",
    "usable",
]
