"""`make check` looks at the types of what has changed, and of what that could have broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools" / "changed_types.py"
FILES = {
    "pyproject.toml": '[tool.pyright]\ninclude = ["shop"]\n',
    "uv.lock": "",
    "shop/__init__.py": "from shop.price import price as price\n",
    "shop/price.py": "def price() -> int:\n    return 1\n",
    "shop/bill.py": "import shop\n\ntotal: int = shop.price() + 1\n",
    "shop/till.py": "from .price import price\n\ncash: int = price()\n",
    "shop/sign.py": 'name: str = "shop"\n',
}


def look(folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, SCRIPT], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_what_a_change_breaks_is_found_until_it_is_mended(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert look(tmp_path)[0] == 0
    assert "Nothing has changed" in look(tmp_path)[1]

    (tmp_path / "shop/price.py").write_text('def price() -> str:\n    return "1"\n')
    for _ in range(2):
        code, printed = look(tmp_path)
        assert code == 1
        assert "shop/till.py" in printed
        assert "shop/bill.py" in printed, "it has it from a package that hands it on"

    (tmp_path / "shop/price.py").write_text(FILES["shop/price.py"])
    (tmp_path / "shop/sign.py").write_text("name: str = 1\n")
    code, printed = look(tmp_path)
    assert code == 1
    assert "shop/sign.py" in printed

    (tmp_path / "shop/sign.py").unlink()
    assert look(tmp_path)[0] == 0
    (tmp_path / "pyproject.toml").write_text(f"{FILES['pyproject.toml']}strict = ['shop']\n")
    assert "0 errors" in look(tmp_path)[1]
