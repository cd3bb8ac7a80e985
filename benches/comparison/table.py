"""What a comparison prints: a row for each implementation as it is measured, and a summary in the end."""

ROW = ("{case:8} {pass_:8} {dtype:5} {threads:>7}  {implementation:15}"
       "{minimum:>10} {median:>10} {gflops:>8} {ratio:>8}  {note}")


def print_head():
    print(ROW.format(case="case", pass_="pass", dtype="dtype", threads="threads", implementation="", minimum="min ms",
                     median="median ms", gflops="GFLOP/s", ratio="to ours", note=""))


def print_row(row):
    number = (lambda key, digits: f"{row[key]:.{digits}f}" if row.get(key) is not None else "-")
    print(ROW.format(case=row["case"], pass_=row["pass"], dtype=row["dtype"], threads=row["threads"],
                     implementation=row["implementation"], minimum=number("min_ms", 3), median=number("median_ms", 3),
                     gflops=number("gflops", 1), ratio=number("ratio_to_ours", 2), note=row.get("note", "")),
          flush=True)


def print_summary(rows):
    """Minimum in ms; in brackets how many times ours that is."""
    names = list(dict.fromkeys(row["implementation"] for row in rows))
    print("\nsummary: minimum in ms (times ours)\n" + " " * 30 + "".join(f"{name:>18}" for name in names))
    groups = {}
    for row in rows:
        key = (row["case"], row["pass"], row["dtype"], row["threads"])
        groups.setdefault(key, {})[row["implementation"]] = row
    for (case, direction, dtype, threads), by_name in groups.items():
        cells = "".join(f"{_cell(by_name.get(name)):>18}" for name in names)
        print(f"{case:8} {direction:8} {dtype:5} {threads:>7}{cells}")


def _cell(row):
    if row is None or row.get("min_ms") is None:
        return "-"
    ratio = row.get("ratio_to_ours")
    return f"{row['min_ms']:.2f}" + (f" ({ratio:.2f})" if ratio and row["implementation"] != "deformconv" else "")
