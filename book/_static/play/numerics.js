// What the moving figures compute: pure functions, one a figure, that take its settings and return the points of what
// moves and a sentence about them. Each is the recursion of optimlib in the same order of operations; a test compares
// the two. The drawing is play.js's business.
"use strict";

(() => {
  const STEPS_OF_ELLIPSE = 60;

  // Words and points

  const raised = (exponent) =>
    String(exponent).replace(/[-0-9]/g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);

  const grouped = (number) => String(number).replace("-", "−").replace(/^(−?\d{1,2})(\d{3})$/, "$1,$2");

  function digits(number) {
    if (!Number.isFinite(number)) return "beyond all numbers";
    if (number === 0) return "0";
    number *= 1 + 2 ** -50; // so that halves are rounded up, as in Python
    const size = Math.abs(number);
    if (size >= 1e-3 && size < 1e4) return grouped(Number(number.toPrecision(3)));
    const [mantissa, exponent] = number.toExponential(1).split("e");
    return `${mantissa} × 10${raised(Number(exponent))}`.replace("-", "−").replace("1.0 × ", "");
  }

  const points = (xs, ys) =>
    xs.map((x, k) => (Number.isFinite(x) && Number.isFinite(ys[k]) ? [x, ys[k]] : null));

  const range = (count) => Array.from({ length: count }, (_, k) => k);
  const column = (rows, k) => rows.map((row) => row[k]);
  const curve = (rows) => points(column(rows, 0), column(rows, 1));

  // Bowls

  const turn = (degrees) => {
    const c = Math.cos((degrees * Math.PI) / 180);
    const s = Math.sin((degrees * Math.PI) / 180);
    return [[c, -s], [s, c]];
  };
  const times = ([[a, b], [c, d]], [x, y]) => [a * x + b * y, c * x + d * y];

  function bowl(curvatures, axes) {
    const [[a, b], [c, d]] = axes;
    const [p, q] = curvatures;
    return [[a * p * a + b * q * b, a * p * c + b * q * d], [c * p * a + d * q * b, c * p * c + d * q * d]];
  }

  function contours(curvatures, degrees, levels) {
    const axes = turn(degrees);
    return levels.flatMap((level) => {
      const [a, b] = curvatures.map((curvature) => Math.sqrt((2 * level) / curvature));
      const ellipse = range(STEPS_OF_ELLIPSE + 1).map((k) => {
        const angle = (2 * Math.PI * k) / STEPS_OF_ELLIPSE;
        return times(axes, [a * Math.cos(angle), b * Math.sin(angle)]);
      });
      return [...ellipse, null];
    });
  }

  // Optimizers: each makes a function that takes a gradient and the time, and returns the step to subtract

  function sgd({ learning_rate, momentum = 0, size }) {
    const b = Array(size).fill(0);
    return (g) =>
      g.map((slope, i) => {
        b[i] = momentum * b[i] + slope;
        return learning_rate * b[i];
      });
  }

  function walk(optimizer, gradient, start, steps) {
    let theta = start;
    const path = [theta];
    for (let t = 1; t <= steps; t++) {
      const step = optimizer(gradient(theta), t);
      theta = theta.map((x, i) => x - step[i]);
      path.push(theta);
    }
    return path;
  }

  // The figures

  function momentum({ learning_rate, momentum, curvatures, start, steps }) {
    const optimizer = sgd({ learning_rate, momentum, size: 2 });
    const path = walk(optimizer, (theta) => theta.map((x, i) => curvatures[i] * x), start, steps);
    const scaled = curvatures.map((curvature) => learning_rate * curvature);
    const left = Math.hypot(...path.at(-1)) / Math.hypot(...path[0]);
    const kinds = scaled.map((product) => kind(product, momentum));
    const worst = Math.max(...scaled.map((product) => factor(product, momentum)));
    return {
      points: {
        path: curve(path),
        steep: [[scaled[0], momentum]],
        flat: [[scaled[1], momentum]],
      },
      said:
        `After ${steps} steps the distance to the minimum is ${digits(left)} times what it was.` +
        ` The coordinate of curvature 25 ${kinds[0]}, that of curvature 1 ${kinds[1]}. In the long run a` +
        ` step multiplies the distance by ${digits(worst)}.`,
    };
  }

  function factor(product, momentum) {
    const a = 1 + momentum - product;
    const inside = a * a - 4 * momentum;
    return inside < 0 ? Math.sqrt(momentum) : (Math.abs(a) + Math.sqrt(inside)) / 2;
  }

  function kind(product, momentum) {
    const a = 1 + momentum - product;
    if (product > 2 * (1 + momentum)) return "diverges";
    if (a * a < 4 * momentum) return "spirals";
    return a < 0 ? "jumps" : "creeps";
  }

  function descent({ learning_rate, curvature, degrees, start, steps, levels }) {
    const curvatures = [curvature, 1];
    const optimizer = sgd({ learning_rate, size: 2 });
    const along = walk(optimizer, (z) => z.map((x, i) => curvatures[i] * x), start, steps);
    const parts = along.map((z) => z.map((x, i) => (curvatures[i] / 2) * x ** 2));
    const axes = turn(degrees);
    const taken = range(steps + 1);
    const loss = parts.map(([steep, flat]) => steep + flat);
    const limit = 2 / curvature;
    const side = learning_rate < limit ? "below" : learning_rate > limit ? "beyond" : "at";
    return {
      points: {
        contours: contours(curvatures, degrees, levels),
        path: curve(along.map((z) => times(axes, z))),
        loss: points(taken, loss),
        steep: points(taken, column(parts, 0)),
        flat: points(taken, column(parts, 1)),
      },
      said:
        `After ${steps} steps the loss is ${digits(loss.at(-1))}. A step multiplies the distance` +
        ` along the steep axis by ${digits(1 - learning_rate * curvature)} and along the flat axis by` +
        ` ${digits(1 - learning_rate)}. The learning rate is ${side} the limit, ${digits(limit)}.`,
    };
  }

  function angle({ degrees, learning_rate, curvatures, start, steps, arrow }) {
    const gradient = (theta) => theta.map((x, i) => curvatures[i] * x);
    const along = (by) => {
      const axes = turn(by);
      return walk(sgd({ learning_rate, size: 2 }), (theta) => times(axes, gradient(theta)), start, steps);
    };
    const lossOf = ([x, y]) => (x ** 2 * curvatures[0] + y ** 2 * curvatures[1]) / 2;
    const paths = { right: along(0), wrong: along(degrees) };
    const losses = { right: paths.right.map(lossOf), wrong: paths.wrong.map(lossOf) };
    const g = gradient(start);
    const scaled = g.map((x) => (arrow * x) / Math.hypot(...g));
    const toward = (by) => {
      const [x, y] = times(turn(by), scaled);
      return [start, [start[0] - x, start[1] - y]];
    };
    const change = ([before, after]) => digits(after - before);
    const cosine = Math.sin(((90 - degrees) * Math.PI) / 180); // 0 at a right angle, which cos rounds to 6e-17
    return {
      points: {
        "right path": curve(paths.right),
        "wrong path": curve(paths.wrong),
        "right loss": points(range(steps + 1), losses.right),
        "wrong loss": points(range(steps + 1), losses.wrong),
        "-g": toward(0),
        "-d": toward(degrees),
      },
      said:
        `The cosine of α is ${digits(cosine)}. The first step changes the loss by` +
        ` ${change(losses.wrong)}, that of the right gradient by ${change(losses.right)}.` +
        ` After ${steps} steps the loss is ${digits(losses.wrong.at(-1))}, with the right gradient` +
        ` ${digits(losses.right.at(-1))}.`,
    };
  }

  // Differences

  const bell = (x) => 1 / (1 + x * x);
  const bellSlope = (x) => (-2 * x) / ((1 + x * x) * (1 + x * x));
  const forward = (f, x, h) => (f(x + h) - f(x)) / (x + h - x);
  const central = (f, x, h) => (f(x + h) - f(x - h)) / (x + h - (x - h));

  function secant({ step, x, least, ends, lowest }) {
    const steps = range(least + 1).map((k) => 2 ** -k);
    const exact = bellSlope(x);
    const off = (scheme) => (h) => Math.abs(scheme(bell, x, h) - exact);
    const line = (slope, through) => ends.map((at) => [at, bell(through) + slope * (at - through)]);
    const [left, middle, right] = [x - step, x, x + step].map((at) => [at, bell(at)]);
    const errors = [forward, central].map((scheme) => off(scheme)(step));
    return {
      points: {
        tangent: line(exact, x),
        forward: line(forward(bell, x, step), x),
        central: line(central(bell, x, step), x - step),
        "forward ends": [middle, right],
        "central ends": [left, right],
        "forward errors": points(steps, steps.map(off(forward))),
        "central errors": points(steps, steps.map(off(central))),
        "forward error": [[step, Math.max(lowest, errors[0])]],
        "central error": [[step, Math.max(lowest, errors[1])]],
      },
      said:
        `At h = 2${raised(Math.round(Math.log2(step)))} = ${digits(step)} the forward difference is off by` +
        ` ${digits(errors[0])} and the central one by ${digits(errors[1])}.` +
        ` The slope is ${digits(exact)}.`,
    };
  }

  // The check of one slope

  const ROUNDOFF = 2 ** -53;
  const SAFETY = 4, BLUNT = 1e-3; // as in optimlib.gradcheck.slope
  const NEAREST = 14; // a distance of 10 ** -NEAREST is drawn at the middle

  function extrapolate([wide, middle, narrow], weight) {
    const first = (weight * middle - wide) / (weight - 1);
    const second = (weight * narrow - middle) / (weight - 1);
    return [second, Math.abs(second - first)];
  }

  function estimates(f, x, first, count) {
    const slopes = [], gaps = [], found = [];
    const f_middle = f(x);
    for (let h = first; found.length < count; h /= 2) {
      const [right, left] = [x + h, x - h];
      const [to_right, to_left] = [right - x, x - left];
      const [f_right, f_left] = [f(right), f(left)];
      slopes.push((f_right - f_left) / (to_right + to_left));
      gaps.push((f_right - f_middle) / to_right - (f_middle - f_left) / to_left);
      const rounding = (2 * ROUNDOFF * (Math.abs(f_right) + Math.abs(f_left))) / h;
      if (slopes.length < 3) continue;
      const [value, distance] = extrapolate(slopes.slice(-3), 4);
      const before = slopes.length < 4 ? 0 : extrapolate(slopes.slice(-4, -1), 4)[1] / 4;
      const curvature = gaps.at(-1) / h;
      const lopsided = Math.abs(curvature) * Math.abs(to_right - to_left);
      found.push({ value, error: Math.max(distance, before) + rounding + lopsided, step: 4 * h, curvature });
    }
    return found;
  }

  const logPlace = (distance) =>
    Math.abs(distance) <= 10 ** -NEAREST ? 0 : Math.sign(distance) * (Math.log10(Math.abs(distance)) + NEAREST);

  function verdict({ error, step, constant, first, rungs }) {
    const ladder = estimates((x) => 1 / x + Number(constant), 1, 2 ** -first, rungs);
    const claim = -1 - error;
    const tolerance = (e) =>
      SAFETY * (e.error + ROUNDOFF * 5 * Math.abs(claim)) + 2 * ROUNDOFF * Math.abs(e.curvature);
    const distance = (e) => Math.abs(claim - e.value);
    const judged = (e) => {
      if (distance(e) > tolerance(e)) return "fail";
      return tolerance(e) <= BLUNT * Math.abs(claim) ? "pass" : "inconclusive";
    };
    const here = ladder[Math.round(-Math.log2(step)) - first];
    const best = ladder.reduce((least, e) => (e.error < least.error ? e : least));
    const band = logPlace(tolerance(here));
    const steps = ladder.map((e) => e.step);
    return {
      points: {
        band: [[-band, 0.3], [band, 0.3], [band, 0.7], [-band, 0.7]],
        claim: [[logPlace(claim - here.value), 0.5]],
        tolerances: points(steps, ladder.map(tolerance)),
        distances: points(steps, ladder.map(distance)),
        here: [[here.step, tolerance(here)]],
        best: [[best.step, tolerance(best)]],
      },
      said:
        `The claim is ${digits(distance(here))} from this estimate, and the tolerance is` +
        ` ${digits(tolerance(here))}: ${judged(here)}. The rung with the least estimated error,` +
        ` h = 2${raised(Math.round(Math.log2(best.step)))}, says: ${judged(best)}.`,
    };
  }

  // Adam

  function adamRule({ learning_rate, beta1, beta2, size, eps = 1e-8 }) {
    const m = Array(size).fill(0), v = Array(size).fill(0);
    const step = (g, t) =>
      g.map((slope, i) => {
        m[i] = beta1 * m[i] + (1 - beta1) * slope;
        v[i] = beta2 * v[i] + (1 - beta2) * slope ** 2;
        const m_hat = m[i] / (1 - beta1 ** t);
        const v_hat = v[i] / (1 - beta2 ** t);
        return (learning_rate * m_hat) / (Math.sqrt(v_hat) + eps);
      });
    return Object.assign(step, { m, v });
  }

  function adam({ learning_rate, beta1, beta2, degrees, curvatures, steps, levels, descent, momentum }) {
    const axes = turn(degrees);
    const run = (optimizer, by) => {
      const hessian = bowl(curvatures, turn(by));
      return walk(optimizer, (theta) => times(hessian, theta), times(turn(by), [1, 1]), steps);
    };
    const heavy = ([rate, mu]) => sgd({ learning_rate: rate, momentum: mu, size: 2 });
    const adamOf = () => adamRule({ learning_rate, beta1, beta2, size: 2 });
    const paths = { descent: run(heavy(descent), degrees), momentum: run(heavy(momentum), degrees) };
    paths.adam = run(adamOf(), degrees);
    const upright = run(adamOf(), 0).map((theta) => times(axes, theta));
    const off = Math.max(...upright.map(([x, y], k) => Math.hypot(x - paths.adam[k][0], y - paths.adam[k][1])));
    const found = { contours: contours(curvatures, degrees, levels) };
    const last = {};
    for (const [name, path] of Object.entries(paths)) {
      const losses = path.map((theta) => {
        const [x, y] = times(turn(-degrees), theta);
        return (x ** 2 * curvatures[0] + y ** 2 * curvatures[1]) / 2;
      });
      found[`${name} path`] = curve(path);
      found[`${name} loss`] = points(range(steps + 1), losses);
      last[name] = digits(losses.at(-1));
    }
    return {
      points: found,
      said:
        `After ${steps} steps the loss is ${last.descent} for gradient descent, ${last.momentum} for` +
        ` momentum and ${last.adam} for Adam. Turned back, Adam's path is off the one on the upright` +
        ` bowl by at most ${digits(Math.round(off * 1e9) / 1e9)}.`,
    };
  }

  function spike({ size, threshold, beta2, before, after, beta1, from }) {
    const optimizer = adamRule({ learning_rate: 1, beta1, beta2, size: 1 });
    const since = [], means = [], roots = [], steps = [];
    optimizer.m[0] = 1 - beta1 ** (before + from); // after so many ones
    optimizer.v[0] = 1 - beta2 ** (before + from);
    for (let k = from; k <= after; k++) {
      const t = before + k + 1;
      const [step] = optimizer([k === 0 ? Math.min(size, threshold) : 1], t);
      if (k > 100 && k % 10) continue;
      since.push(k);
      means.push(optimizer.m[0] / (1 - beta1 ** t));
      roots.push(Math.sqrt(optimizer.v[0] / (1 - beta2 ** t)));
      steps.push(step);
    }
    const at = (k) => digits(steps[since.indexOf(k)]);
    return {
      points: { mean: points(since, means), root: points(since, roots), step: points(since, steps) },
      said:
        `Adam sees a spike of ${digits(Math.min(size, threshold))}. The length of its step, in` +
        ` learning rates, is ${at(0)} at the spike, ${at(100)} after 100 more steps and` +
        ` ${at(1000)} after 1,000.`,
    };
  }

  // Schedules: functions of the finished steps

  const DECAYS = {
    constant: (peak) => () => peak,
    linear: (peak, steps) => (n) => peak * (1 - n / steps),
    cosine: (peak, steps) => (n) => (peak * (1 + Math.cos((Math.PI * n) / steps))) / 2,
    exponential: (peak, steps) => (n) => peak * 0.01 ** (n / steps),
    "inverse time": (peak, steps) => (n) => peak / (1 + (100 / steps) * n),
    "three stairs": (peak, steps) => (n) => peak * 0.1 ** Math.floor(n / Math.ceil(steps / 3)),
  };

  const sum = (numbers) => numbers.reduce((total, x) => total + x, 0);

  function schedules({ shape, peak, hold, steps, every, curvatures, start, noise }) {
    const decay = DECAYS[shape](peak, steps - hold);
    const rates = range(steps).map((n) => (n < hold ? peak : decay(n - hold)));
    const a = [...start], b = noise.map(() => 0);
    const excess = (of) => sum(curvatures.map((curvature, i) => (curvature / 2) * of[i]));
    const of_start = [excess(a)], of_noise = [excess(b)], floors = [];
    for (const eta of rates) {
      curvatures.forEach((curvature, i) => {
        const shrink = (1 - eta * curvature) ** 2;
        a[i] *= shrink;
        b[i] = shrink * b[i] + eta ** 2 * noise[i];
      });
      of_start.push(excess(a));
      of_noise.push(excess(b));
      floors.push(sum(curvatures.map((curvature, i) => (eta * noise[i]) / (2 * (2 - eta * curvature)))));
    }
    const at = range(steps / every + 1).map((k) => k * every);
    const total = of_start.map((part, t) => part + of_noise[t]);
    return {
      points: {
        rate: points(range(steps), rates).filter((_, n) => n % (every / 2) === 0),
        total: points(at, at.map((t) => total[t])),
        start: points(at, at.map((t) => of_start[t])),
        floor: points(at.slice(1), at.slice(1).map((t) => floors[t - 1])),
      },
      said:
        `The expected excess loss at the end is ${digits(total.at(-1))}: ${digits(of_start.at(-1))} is left` +
        ` of the start, and ${digits(of_noise.at(-1))} comes from the noise. The area under the schedule is` +
        ` ${digits(sum(rates))}.`,
    };
  }

  globalThis.optimPlay = {
    digits,
    grouped,
    raised,
    figures: { adam, angle, descent, momentum, schedules, secant, spike, verdict },
  };
})();
