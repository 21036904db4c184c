"""Fit the weights of the ranking, and measure them on essays they were not fitted with.

    python bench/related_fit.py
    python bench/related_fit.py --without-words   what MISSING_WORDS in ranking.py is measured by

Logistic regression (Newton's method, a ridge of 1 on the weights) over the pairs of essay and item of
the eighteen tuning essays, each views twice: as it is, and, at ABLATED of the weight, as if the
vocabulary had no concept of its topics' names. Leave-one-essay-out: seventeen essays fit, the
eighteenth is ranked, and what passes its floor is counted.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from related import Part, parts, quality  # the script beside this one

from upcycle_news.curation import ranking
from upcycle_news.curation.bm25_index import BM25Index
from upcycle_news.curation.compounds import CompoundSplitter, stems_of
from upcycle_news.curation.concept_matcher import matcher_for
from upcycle_news.curation.concept_score import EssayConcepts, Signals, StoryPool
from upcycle_news.curation.term_score import (
    FIELDS,
    Document,
    Query,
    relevance_feedback,
)
from upcycle_news.models import Essay

NAMES = ("WORDS", "TOPICS", "CENTRAL", "TEXT", "VARIETY", "FOCUS", "OUTSIDE", "TITLE")
ABLATED = 0.3
Row = tuple[float, ...]


def row(words: float, signals: Signals) -> Row:
    return (
        min(words, ranking.MAX_WORD_SCORE), signals.topics, signals.central, signals.text,
        math.log1p(signals.words), signals.focus, signals.outside,
        signals.title,
    )  # fmt: skip


@dataclass(frozen=True)
class Views:
    """The features of every item: as they are, and without the concepts the topics name."""

    rows: tuple[list[Row], list[Row]]
    documents: list[Document]
    index: BM25Index


def views_of(part: Part, essay: Essay, pool: StoryPool) -> Views:
    texts = [(" . ".join((essay.title, *essay.topics, essay.body)), "de")]
    texts += [(f"{s.lead.title}. {s.lead.summary}", "de") for s in part.stories]
    compounds = CompoundSplitter(stems_of(texts))
    documents = [Document(story.lead, compounds) for story in part.stories]
    index = BM25Index([document.fields for document in documents], FIELDS)
    query = Query(essay, compounds)
    term_scores = index.scores(query.terms)
    words = [math.fsum(terms.values()) / query.chance for terms in term_scores]
    concepts = EssayConcepts(essay, matcher_for(part.vocabulary))
    full = [row(value, concepts.signals(n, pool)) for n, value in enumerate(words)]
    named = {concept for concept, weight in concepts.topics.items() if weight >= 1}
    concepts.topics = {c: w for c, w in concepts.topics.items() if c not in named}
    concepts.text = {c: w for c, w in concepts.text.items() if c not in named}
    ablated = [row(value, concepts.signals(n, pool)) for n, value in enumerate(words)]
    return Views((full, ablated), documents, index)


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a linear system by Gaussian elimination; the matrix is small and positive definite."""
    size = len(right)
    grid = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for n in range(size):
        pivot = max(range(n, size), key=lambda m: abs(grid[m][n]))
        grid[n], grid[pivot] = grid[pivot], grid[n]
        for m in range(size):
            if m != n:
                factor = grid[m][n] / grid[n][n]
                grid[m] = [a - factor * b for a, b in zip(grid[m], grid[n], strict=True)]
    return [grid[n][size] / grid[n][n] for n in range(size)]


def fit(samples: list[tuple[Row, bool, float]]) -> list[float]:
    """Return the weights of a logistic regression (Newton's method), the intercept last."""
    size = len(NAMES) + 1
    weights = [0.0] * size
    for _ in range(12):
        gradient = [-w for w in weights[:-1]] + [0.0]
        hessian = [[float(a == b and a < size - 1) for b in range(size)] for a in range(size)]
        for values, truth, share in samples:
            x = (*values, 1.0)
            z = math.fsum(w * v for w, v in zip(weights, x, strict=True))
            chance = 1 / (1 + math.exp(-max(min(z, 30.0), -30.0)))
            curve = share * chance * (1 - chance)
            for a in range(size):
                gradient[a] += share * (truth - chance) * x[a]
                for b in range(size):
                    hessian[a][b] += curve * x[a] * x[b]
        step = solve(hessian, gradient)
        weights = [w + s for w, s in zip(weights, step, strict=True)]
        if max(map(abs, step)) < 1e-6:
            break
    return weights


def show_without_words(views: Mapping[str, Views], truth: Mapping[str, Sequence[bool]]) -> None:
    """Print what passes the floor by words and concepts, and by concepts alone, with what stands in."""
    weights = [getattr(ranking, name) for name in NAMES]
    boundary = ranking.DECISION_BOUNDARY + ranking.FLOOR_MARGIN
    words = [
        values[0]
        for slug, view in views.items()
        for values, related in zip(view.rows[0], truth[slug], strict=True)
        if related
    ]
    print(f"Words give a related item {weights[0] * fmean(words):.2f} on average.\n")
    print(
        "| | related among the first ten that pass | unrelated that pass, per essay |\n|---|--:|--:|"
    )
    for name, first, stand_in in (
        ("words and concepts", 0, 0.0),
        ("concepts alone", 1, 0.0),
        (f"concepts, at most {ranking.MISSING_WORDS} for the words", 1, ranking.MISSING_WORDS),
    ):
        passing = related = unrelated = 0
        for slug, view in views.items():
            sums = [
                math.fsum(w * v for w, v in zip(weights[first:], x[first:], strict=True))
                for x in view.rows[0]
            ]
            sums = [total + min(max(total, 0.0), stand_in) for total in sums]
            through = [
                total - ranking.SINGLE_WORD_PENALTY * (x[4] < math.log1p(1.5)) >= boundary
                for total, x in zip(sums, view.rows[0], strict=True)
            ]
            best = sorted(range(len(sums)), key=lambda n: -sums[n])[:10]
            related += sum(truth[slug][n] for n in best)
            passing += sum(through[n] for n in best if truth[slug][n])
            unrelated += sum(t and not r for t, r in zip(through, truth[slug], strict=True))
        print(f"| {name} | {passing} of {related} | {unrelated / len(views):.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without-words", action="store_true", help="as if in two languages")
    arguments = parser.parse_args()
    (part,) = parts(final=False)
    pool = StoryPool(part.stories, matcher_for(part.vocabulary))
    keys = [story.lead.key for story in part.stories]
    views = {slug: views_of(part, essay, pool) for slug, essay in part.essays.items()}
    truth = {slug: [key in part.related[slug] for key in keys] for slug in part.essays}
    if arguments.without_words:
        show_without_words(views, truth)
        return

    def learn(slugs: list[str]) -> list[float]:
        return fit([
            (values, right, share)
            for slug in slugs
            for view, share in zip(views[slug].rows, (1.0, ABLATED), strict=True)
            for values, right in zip(view, truth[slug], strict=True)
        ])  # fmt: skip

    print("| left out | P@5 | P@10 | MAP | without its topics' concepts P@5 | P@10 | MAP |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    table = []
    passing = hits = related = 0
    for slug in part.essays:
        weights = learn([other for other in part.essays if other != slug])
        line: list[float] = []
        for ablated, view in enumerate(views[slug].rows):
            sums = [math.fsum(w * v for w, v in zip(weights[:-1], x, strict=True)) for x in view]
            boundary = -weights[-1]
            boosted = [
                s + ranking.NEIGHBOUR_WEIGHT * k
                for s, k in zip(sums, pool.neighbour_boost(sums, boundary), strict=True)
            ]
            likelihoods = [
                ranking.probability(s, boundary + ranking.FEEDBACK_MARGIN) for s in boosted
            ]
            feedback = relevance_feedback(views[slug].index, views[slug].documents, likelihoods)
            scores = [
                s + ranking.FEEDBACK_WEIGHT * f for s, f in zip(boosted, feedback, strict=True)
            ]
            order = sorted(range(len(keys)), key=lambda n: (-scores[n], keys[n]))
            line += quality([keys[n] for n in order], part.related[slug])
            if ablated:
                continue
            single = math.log1p(1.5)
            through = [
                s + weights[-1] - ranking.SINGLE_WORD_PENALTY * (x[4] < single)
                >= ranking.FLOOR_MARGIN
                for s, x in zip(sums, view, strict=True)
            ]
            passing += sum(t and not r for t, r in zip(through, truth[slug], strict=True))
            best = [n for n in order[:10] if truth[slug][n]]
            hits, related = hits + sum(through[n] for n in best), related + len(best)
        table.append(line)
        print(f"| `{slug}` | " + " | ".join(f"{value:.2f}" for value in line) + " |")
    means = [fmean(column) for column in zip(*table, strict=True)]
    print("| mean | " + " | ".join(f"{value:.3f}" for value in means) + " |")
    print(
        f"\nFloor: {passing / len(table):.2f} unrelated items pass per essay, {hits} of {related} "
        "related ones among the first ten do."
    )
    *weights, constant = learn(list(part.essays))
    fitted = ", ".join(f"{n} {w:.2f}" for n, w in zip(NAMES, weights, strict=True))
    print(f"\nFitted with all: {fitted}, DECISION_BOUNDARY {-constant:.2f}")


if __name__ == "__main__":
    main()
