"""The secrets: SSM parameters under one path, each named for the variable that it stands for."""

import hashlib
import secrets
from typing import Any

import argon2

KEY, SIGNING, CODE, ADMIN, ORIGIN = (
    "ANTHROPIC_API_KEY",
    "OUTLAST_SECRET",
    "OUTLAST_ACCESS_CODE_HASH",
    "OUTLAST_ADMIN_PASSWORD_HASH",
    "OUTLAST_ORIGIN_SECRET",
)
ALL = (KEY, SIGNING, CODE, ADMIN, ORIGIN)
# As `outlast hash` (the defaults of Rust's argon2): a sign-in has to fit into the function's memory.
HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# No letters that are read as others.
LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


def path(name: str) -> str:
    return f"/outlast/{name}"


def read(ssm: Any, name: str) -> dict[str, str]:
    """What is kept."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path(name), WithDecryption=True)
    return {one["Name"].rsplit("/", 1)[1]: one["Value"] for page in pages for one in page["Parameters"]}


def write(ssm: Any, name: str, variable: str, value: str) -> None:
    ssm.put_parameter(Name=f"{path(name)}/{variable}", Value=value, Type="SecureString", Overwrite=True)


def forget(ssm: Any, name: str, variables: list[str]) -> None:
    if variables:
        ssm.delete_parameters(Names=[f"{path(name)}/{variable}" for variable in variables])


def version(kept: dict[str, str]) -> str:
    """Another text for other secrets, of which nobody can tell what they are."""
    digest = hashlib.sha256()
    for variable in sorted(kept):
        digest.update(f"{variable}\0{kept[variable]}\0".encode())
    return hashlib.sha256(digest.digest()).hexdigest()[:16]


def signing() -> str:
    return secrets.token_urlsafe(48)


def origin() -> str:
    return secrets.token_urlsafe(36)


def password() -> str:
    """120 random bits that can be typed."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(6)) for _ in range(4))


def hashed(text: str, old: str | None) -> str:
    """Its hash: the old one where that is of the same text, so that nobody is signed out for nothing."""
    if old is not None:
        try:
            HASHER.verify(old, text)
            return old
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            pass
    return HASHER.hash(text)
