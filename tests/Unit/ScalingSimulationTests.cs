using Shouldly;
using TaskQueue.Engine.Scaling;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>
/// An autoscaler that follows the number, with pods that take a while to start, on a queue simulated in small steps.
/// </summary>
public sealed class ScalingSimulationTests
{
    [Theory]
    [InlineData(20, 1, 20)]
    [InlineData(200, 0.1, 20)]
    [InlineData(0.5, 30, 15)]
    [InlineData(100, 0.05, 5)]
    public void From_zero_it_scales_to_what_the_load_needs_and_stays_there(double perSecond, double runSeconds, double load)
    {
        var run = new Simulation(runSeconds) { Arrivals = _ => perSecond };
        run.Run(seconds: 900);

        run.Late.Average(s => s.Slots).ShouldBeInRange(0.9 * load, (1.4 * load) + 2);
        run.Late.Max(s => s.Slots).ShouldBeLessThan((int)(2 * load) + 3, "it does not swing");
        run.Late.Min(s => s.Slots).ShouldBeGreaterThan((int)(0.6 * load) - 1);
        run.Late.Average(s => s.Age).ShouldBeLessThan(Simulation.Within);
    }

    [Fact]
    public void A_burst_of_quick_tasks_never_asks_for_many_slots()
    {
        var run = new Simulation(runSeconds: 0.02) { Arrivals = t => t is >= 100 and < 101 ? 50_000 : 5 };
        run.Run(seconds: 400);

        run.Steps.Max(s => s.Slots).ShouldBeLessThan(80);
        run.Steps.Where(s => s.At > 250).Max(s => s.Due).ShouldBeLessThan(50, "it is through");
    }

    [Fact]
    public void A_burst_drains_within_a_few_wait_targets_and_the_slots_are_released()
    {
        var run = new Simulation(runSeconds: 2) { Arrivals = t => t is >= 60 and < 61 ? 3000 : 0 };
        run.Run(seconds: 600);

        run.Steps.First(s => s.At > 65 && s.Due == 0).At.ShouldBeLessThan(60 + (6 * Simulation.Within));
        run.Steps.Max(s => s.Slots).ShouldBeLessThan(900);
        run.Steps[^1].Slots.ShouldBe(0);
    }

    [Fact]
    public void A_queue_recovers_after_all_its_workers_were_removed()
    {
        var run = new Simulation(runSeconds: 1) { Arrivals = _ => 10, Frozen = t => t is > 300 and < 600 };
        run.Run(seconds: 1500);

        run.Steps.Where(s => s.At is > 450 and < 600).Min(s => s.Slots).ShouldBeGreaterThan(0, "it asks while nobody comes");
        run.Late.Max(s => s.Age).ShouldBeLessThan(Simulation.Within);
        run.Late.Average(s => s.Slots).ShouldBeInRange(9, 16);
    }

    [Fact]
    public void Slots_follow_the_load()
    {
        var run = new Simulation(runSeconds: 1) { Arrivals = t => t is > 600 and < 1200 ? 60 : 10 };
        run.Run(seconds: 1800);

        run.Steps.Where(s => s.At is > 900 and < 1200).Average(s => s.Slots).ShouldBeInRange(55, 90);
        run.Late.Average(s => s.Slots).ShouldBeInRange(9, 16);
    }

    [Fact]
    public void Slow_tasks_without_history_get_their_slots()
    {
        var run = new Simulation(runSeconds: 600) { Arrivals = t => t is >= 10 and < 11 ? 40 : 0 };
        run.Run(seconds: 200);

        var last = run.Steps[^1];
        (last.Due, last.Slots).ShouldBe((0, last.Running));
        last.Running.ShouldBeGreaterThan(30);
    }

    /// <summary>
    /// Tasks are taken in order, each occupies a slot for its duration. Slots start 20 seconds after they
    /// were requested; surplus slots stop when idle.
    /// </summary>
    private sealed class Simulation(double runSeconds)
    {
        public const double Within = 30;
        private const double Step = 0.02;
        private const double LookEvery = 5;
        private const double Delay = 20;

        private readonly Random _random = new(7);
        private readonly Queue<double> _waiting = new();
        private readonly PriorityQueue<double, double> _running = new();
        private readonly List<Load> _looks = [];
        private long _finished;

        public required Func<double, double> Arrivals { get; init; }

        public Func<double, bool> Frozen { get; init; } = _ => false;

        public List<(double At, int Slots, int Running, int Due, double Age)> Steps { get; } = [];

        /// <summary>The last third.</summary>
        public IEnumerable<(double At, int Slots, int Running, int Due, double Age)> Late => Steps.Where(s => s.At > Steps[^1].At * 2 / 3);

        public void Run(double seconds)
        {
            var dueCallbacks = 0d;
            for (var (t, next) = (0d, 0d); t < seconds; t += Step)
            {
                dueCallbacks += Arrivals(t) * Step * 2 * _random.NextDouble();
                for (; dueCallbacks >= 1; dueCallbacks--)
                    _waiting.Enqueue(t);
                Work(t);
                if (t < next)
                    continue;
                next += LookEvery;
                Look(t);
            }
        }

        private void Work(double t)
        {
            while (_running.TryPeek(out var end, out _) && end <= t)
            {
                _running.Dequeue();
                _finished++;
            }

            var provided = Frozen(t) ? 0 : Steps.LastOrDefault(s => s.At <= t - Delay).Slots;
            while (_running.Count < provided && _waiting.TryDequeue(out _))
            {
                var end = t + (runSeconds * (0.5 + _random.NextDouble()));
                _running.Enqueue(end, end);
            }
        }

        private void Look(double t)
        {
            var age = _waiting.TryPeek(out var since) ? t - since : 0;
            _looks.Add(new Load(t, _waiting.Count, 0, 0, _running.Count, _finished, age));
            _looks.RemoveAll(l => l.At < t - 60 - (LookEvery / 2));
            Steps.Add((t, SlotDemand.Of(_looks, Within, new SlotLimits()).Slots, _running.Count, _waiting.Count, age));
        }
    }
}
