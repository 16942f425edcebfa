"""The regions in one plane through three digits, during training.

Figure 8 of Hanin and Rolnick (ICML 2019): a network of three hidden layers of width 64 on
MNIST, trained with Adam (rate 1e-3, batches of 128); the square around the circumcentre of
three examples with the labels 0, 1 and 2, at initialisation and as training goes on. Writes a
figure, an animation and an interactive page with a time slider.

    python examples/hanin_figure8.py -o pictures
"""

from __future__ import annotations

from gallery import accuracy, digits, he_network, options, save, three_examples, training

import linregions as lr
from linregions import draw


def main() -> None:
    """Train, count in the plane at every checkpoint, draw."""
    import matplotlib.pyplot as plt

    chosen = options(__doc__ or "")
    images, labels, name = digits()
    epochs = [0, 1, 2] if chosen.quick else [0, 1, 2, 4, 7, 12]
    start = he_network([images.shape[1], 64, 64, 64, 10], chosen.seed)
    nets = list(training(start, images, labels, epochs[-1], chosen.seed))
    three = three_examples(images, labels)
    plane = lr.Plane.through(*three)
    cells = [lr.subdivide(nets[e], plane) for e in epochs]
    names = [f"epoch {e}" for e in epochs]
    figure, axes = plt.subplots(len(epochs) // 3, 3, figsize=(7.3, 2.65 * (len(epochs) // 3)),
                                squeeze=False, layout="constrained")  # fmt: skip
    for ax, some, title in zip(axes.flat, cells, names, strict=True):
        draw.draw(some, ax=ax, edges="none", points=three, labels=[0, 1, 2], legend=False)
        ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
        ax.set_title(f"{title}: {some.count():,} regions", fontsize=10)
    print(f"{name}: accuracy {accuracy(nets[-1], images, labels):.1%}")
    for title, some in zip(names, cells, strict=True):
        print(f"{title}: {some.count():,} activation regions, {some.count('linear'):,} linear")
    save(figure, chosen.output / "hanin_figure8.png", colours=64)
    draw.animate(cells, chosen.output / "hanin_figure8.gif", names=names, points=three,
                    labels=[0, 1, 2], edges="none")  # fmt: skip
    draw.page(cells, chosen.output / "hanin_figure8.html", names=names, points=three,
                 labels=[0, 1, 2], title="A plane through three digits")  # fmt: skip


if __name__ == "__main__":
    main()
