"""Speed and memory of tangent kernels, as ratios measured in one run, float32, all cores.

    pip install torch && python benchmarks/tangent_kernel.py [ROW ...] [--oracle-python PYTHON] [--figure FILE]

The rivals: the Jacobian contraction of PyTorch's own tutorial on tangent kernels, each side in a process of its own
so that their peaks of memory can be told apart; and, with the path of another Python that has the neural-tangents
library (0.6.5 needs jax and jaxlib 0.4.30), its default empirical kernel of the same function. What compiles has
compiled before it is timed. The figure shows how the time grows with samples and with weights.
"""

import json
import subprocess
import sys
import tempfile
import time

import numpy as np
from report import report

# Samples of each network, and how many times faster is asked.
NETWORKS = {"lenet": (256, 5.0), "mlp": (128, 1.0), "resnet": (64, 1.0), "vgg": (8, 1.0)}
ROUNDS = 3

WORKER = """
import json, resource, sys, time
import numpy as np, torch
from torch import nn
side, name, samples = sys.argv[1], sys.argv[2], int(sys.argv[3])
channels, pixels = (1, 28) if name in ("lenet", "mlp") else (3, 32)
torch.manual_seed(0)

class Block(nn.Module):
    def __init__(self, below, above, stride):
        super().__init__()
        self.first, self.one = nn.Conv2d(below, above, 3, stride, 1, bias=False), nn.BatchNorm2d(above)
        self.second, self.two = nn.Conv2d(above, above, 3, 1, 1, bias=False), nn.BatchNorm2d(above)
        self.skip = nn.Conv2d(below, above, 1, stride, bias=False) if below != above else nn.Identity()
    def forward(self, x):
        return torch.relu(self.two(self.second(torch.relu(self.one(self.first(x))))) + self.skip(x))

def vgg():
    layers, below = [], 3
    for above in (16, 16, 0, 32, 32, 0, 64, 64, 64, 0, 128, 128, 128, 0, 128, 128, 128, 0):
        layers += [nn.MaxPool2d(2)] if above == 0 else [nn.Conv2d(below, above, 3, padding=1), nn.ReLU()]
        below = above or below
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(below, 10))

model = {
    "lenet": lambda: nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 10)),
    "resnet": lambda: nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        *(Block(b, a, s) for b, a, s in ((16, 16, 1),) * 3 + ((16, 32, 2),) + ((32, 32, 1),) * 2
          + ((32, 64, 2),) + ((64, 64, 1),) * 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    "vgg": vgg,
}[name]().eval()
inputs = torch.randn(samples, channels, pixels, pixels)

def theirs():
    params = {key: value.detach() for key, value in model.named_parameters()}
    call = lambda params, x: torch.func.functional_call(model, params, (x.unsqueeze(0),)).squeeze(0)
    rows = torch.func.vmap(torch.func.jacrev(call), (None, 0))(params, inputs)
    rows = [row.flatten(2) for row in rows.values()]
    return torch.stack([torch.einsum("Naf,Mbf->NMab", row, row) for row in rows]).sum(0)

def in_torch():
    from solvable.instruments import tangent_kernel
    return tangent_kernel(model, inputs)

def in_jax():
    import jax, jax.numpy as jnp
    from solvable import networks
    from solvable.instruments import tangent_kernel
    network = networks.lenet(jax.random.key(0), dtype=jnp.float32)
    images = jnp.asarray(inputs.numpy())
    return lambda: jax.block_until_ready(tangent_kernel(network, images[: len(inputs)]))

run = {"theirs": lambda: theirs, "torch": lambda: in_torch, "jax": in_jax}[side]()
peak, taken, peaks = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, [], []
whole, inputs = inputs, inputs[:1]  # the libraries' own first use, on little
run()
inputs = whole
for _ in range(4):
    peaks.append(peak())
    kernel, start = None, time.perf_counter()
    kernel = run()
    taken.append(time.perf_counter() - start)
np.save(sys.argv[4], np.asarray(kernel))
print(json.dumps({"seconds": min(taken), "memory": peaks[1] - peaks[0]}))
"""

MONITOR = """
import sys, time
import torch
from torch import nn
from solvable.watching import Monitor
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
inputs, labels = torch.randn(1024, 1, 28, 28), torch.randint(0, 10, (1024,))
optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
monitor = Monitor(model, inputs[:32], labels[:32]) if sys.argv[1] == "watched" else None
start, steps = time.perf_counter(), 3000
for step in range(steps):
    chosen = torch.randint(0, 1024, (128,))
    loss = nn.functional.cross_entropy(model(inputs[chosen]), labels[chosen])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if monitor is not None:
        monitor.step(loss)
print(time.perf_counter() - start, monitor and monitor.result().attrs["share_of_time"])
"""

ORACLE = """
import json, sys, time
import jax, numpy as np
from jax import numpy as jnp, lax
import neural_tangents as nt
exec(open(sys.argv[1]).read())
data = dict(np.load(sys.argv[2]))
seconds, kernels = {}, {}
for name, function in FUNCTIONS.items():
    params = {key.split("/")[1]: value for key, value in data.items() if key.startswith(name + "/")}
    batch = lambda params, x: jax.vmap(lambda x: function(params, x))(x)
    run = jax.jit(nt.empirical_ntk_fn(batch, trace_axes=(), vmap_axes=0))
    inputs = data[INPUTS[name]]
    kernels[name] = np.asarray(run(inputs, None, params))
    start = time.perf_counter()
    jax.block_until_ready(run(inputs, None, params))
    seconds[name] = time.perf_counter() - start
np.savez(sys.argv[3], **kernels)
print(json.dumps(seconds))
"""

FUNCTIONS_SOURCE = """
import jax
from jax import lax, numpy as jnp
def dense(p, x):
    for name in ("a", "b"):
        x = jax.nn.relu(p["w" + name] @ x + p["b" + name])
    return p["wc"] @ x
def convolution(p, x):
    x = jax.nn.relu(lax.conv_general_dilated(x[None], p["k1"], (1, 1), "SAME"))
    x = jax.nn.relu(lax.conv_general_dilated(x, p["k2"], (1, 1), "SAME"))[0]
    return p["w"] @ x.reshape(-1)
def pooled(p, x):
    x = jax.nn.relu(lax.conv_general_dilated(x[None], p["k1"], (1, 1), "SAME"))
    x = jax.nn.relu(lax.conv_general_dilated(x, p["k2"], (1, 1), "SAME"))[0]
    return p["w"] @ x.mean((1, 2))
FUNCTIONS = {"dense": dense, "convolution": convolution, "pooled": pooled}
INPUTS = {"dense": "rows", "convolution": "images", "pooled": "images"}
"""


def measure(side, name, samples, folder):
    target = f"{folder}/{side}.npy"
    command = [sys.executable, "-c", WORKER, side, name, str(samples), target]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(printed.splitlines()[-1])


def against_torch(name):
    samples, asked = NETWORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        sides = ("torch", "theirs")  # in turn, as the speed of a shared machine changes
        runs = [[measure(side, name, samples, folder) for side in sides] for _ in range(ROUNDS)]
        ours, theirs = (min(each, key=lambda run: run["seconds"]) for each in zip(*runs, strict=True))
        kernels = [np.load(f"{folder}/{side}.npy") for side in sides]
        off = float(np.abs(kernels[0] - kernels[1]).max() / np.abs(kernels[1]).max())
        ratio = theirs["seconds"] / ours["seconds"]
        yield (
            f"{name}, {samples} samples, 10 outputs",
            ratio,
            ">=",
            asked,
            f"times; {ours['seconds']:.2f} s, off {off:.0e}",
        )
        if name == "lenet":
            held = [each["memory"] for each in (ours, theirs)]
            detail = f"of the first call's memory, beyond one sample's; {held[0]:.0f} MiB of {held[1]:.0f}"
            yield f"{name}, memory", held[0] / held[1], "<=", 0.1, detail
            compiled = measure("jax", name, samples, folder)
            ratio, detail = theirs["seconds"] / compiled["seconds"], f"times; {compiled['seconds']:.2f} s"
            yield f"{name} of the library, in JAX", ratio, ">=", asked, detail


def watching():
    """LeNet in a plain loop, 3000 steps of 128 images, at the default cadence."""
    run = lambda side: subprocess.run(  # noqa: E731
        [sys.executable, "-c", MONITOR, side], check=True, capture_output=True, text=True
    ).stdout.split()
    alone, watched = run("alone"), run("watched")
    detail = f"of the time, as it counts itself; {float(watched[0]):.1f} s in all, {float(alone[0]):.1f} s without"
    yield "monitor of LeNet", float(watched[1]), "<=", 0.05, detail


def against_oracle(python):
    import jax
    import jax.numpy as jnp

    from solvable.instruments import tangent_kernel

    scope = {}
    exec(FUNCTIONS_SOURCE, scope)
    normal = lambda *shape: (np.random.default_rng(sum(shape)).normal(size=shape) / shape[-1] ** 0.5).astype(np.float32)  # noqa: E731
    kernels = {"k1": normal(8, 3, 3, 3), "k2": normal(16, 8, 3, 3)}
    params = {
        "dense": {
            "wa": normal(256, 64),
            "ba": normal(256),
            "wb": normal(256, 256),
            "bb": normal(256),
            "wc": normal(10, 256),
        },
        "convolution": {**kernels, "w": normal(4, 16 * 144)},
        "pooled": {**kernels, "w": normal(4, 16)},
    }
    inputs = {"rows": normal(200, 64), "images": normal(32, 3, 12, 12)}
    with tempfile.TemporaryDirectory() as folder:
        source, data, answer = f"{folder}/functions.py", f"{folder}/data.npz", f"{folder}/kernels.npz"
        with open(source, "w") as file:
            file.write(FUNCTIONS_SOURCE)
        flat = {f"{name}/{key}": value for name, part in params.items() for key, value in part.items()}
        np.savez(data, **flat, **inputs)
        command = [python, "-c", ORACLE, source, data, answer]
        theirs = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        expected = dict(np.load(answer))
    for name, function in scope["FUNCTIONS"].items():
        chosen = jnp.asarray(inputs[scope["INPUTS"][name]])
        weights = jax.tree.map(jnp.asarray, params[name])
        run = lambda: jax.block_until_ready(tangent_kernel(function, chosen, params=weights, check=False))  # noqa: B023, E731
        off = float(np.abs(np.asarray(run()) - expected[name]).max() / np.abs(expected[name]).max())
        yield f"{name}, neural-tangents' kernel", off, "<=", 1e-6, "largest difference, of the largest entry"
        ours = least_seconds(run)
        yield f"{name}, neural-tangents", theirs[name] / ours, ">=", 1.0, f"times as fast; {1000 * ours:.1f} ms"


def least_seconds(run, times=3):
    run()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def draw_growth(path):
    """Time against samples at one network, and against weights at one number of samples."""
    import jax
    import jax.numpy as jnp
    from matplotlib.figure import Figure

    from solvable.instruments import tangent_kernel
    from solvable.networks import lenet

    def time_one(samples, width):
        network = lenet(
            jax.random.key(0), channels=(6 * width, 16 * width), widths=(120 * width, 84 * width), dtype=jnp.float32
        )
        images = jax.random.normal(jax.random.key(1), (samples, 1, 28, 28), jnp.float32)
        weights = sum(leaf.size for leaf in jax.tree.leaves(network) if hasattr(leaf, "size"))
        return weights, least_seconds(lambda: jax.block_until_ready(tangent_kernel(network, images, check=False)))

    counts, factors = np.array([32, 64, 128, 256, 512, 1024]), (1, 2, 3, 4, 6)
    by_samples = np.array([time_one(int(n), 1)[1] for n in counts])
    by_weights = np.array([time_one(64, factor) for factor in factors])
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.loglog(counts, by_samples, "o-", label="LeNet, 10 outputs")
    left.loglog(counts, by_samples[-1] * (counts / counts[-1]) ** 2, "k--", label="square of the samples")
    left.set(xlabel="samples", ylabel="seconds")
    left.set_xticks(counts, labels=[str(count) for count in counts], minor=False)
    left.minorticks_off()
    right.loglog(*by_weights.T, "o-", label="LeNets of several widths, 64 samples")
    right.loglog(
        by_weights[:, 0], by_weights[-1, 1] * by_weights[:, 0] / by_weights[-1, 0], "k--", label="number of weights"
    )
    right.set(xlabel="weights", ylabel="seconds")
    for ax in (left, right):
        ax.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main(arguments):
    table = {name: lambda name=name: against_torch(name) for name in NETWORKS}
    table["monitor"] = watching
    for option, use in (("--oracle-python", None), ("--figure", draw_growth)):
        if option in arguments:
            place = arguments.index(option)
            value = arguments[place + 1]
            arguments = arguments[:place] + arguments[place + 2 :]
            if use is None:
                table["oracle"] = lambda value=value: against_oracle(value)
            else:
                use(value)
        elif use is None:
            print("neural-tangents: skipped, as no --oracle-python was given")
    return report(table, arguments, "float32, all cores")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
