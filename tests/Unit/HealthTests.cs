using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Bus.Health;
using TaskQueue.Engine.Health;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>When silence is unhealthy, with a settable clock.</summary>
public sealed class HealthTests : IAsyncDisposable
{
    private static readonly DateTime Start = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly SetTime _time = new(Start);
    private readonly ServiceProvider _services;
    private readonly OutageGracePeriod _gracePeriod;
    private readonly LoopHeartbeats _heartbeats;

    public HealthTests()
    {
        _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        _gracePeriod = new OutageGracePeriod(_time);
        _heartbeats = new LoopHeartbeats(_gracePeriod, _services.GetRequiredService<IMeterFactory>(), _time);
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    [Fact]
    public void A_loop_is_silent_since_its_last_iteration_but_not_while_it_rests()
    {
        var heartbeat = _heartbeats.Of(typeof(SomeLoop));
        After(30);
        Silence.ShouldBe(30);
        heartbeat.Beat();
        Silence.ShouldBe(0);
        After(7);
        Silence.ShouldBe(7);
        heartbeat.Rest();
        After(10_000);
        Silence.ShouldBe(0);
        heartbeat.Beat();
        After(3);
        Silence.ShouldBe(3);
    }

    [Fact]
    public async Task A_loop_whose_iterations_all_fail_is_unhealthy_until_one_succeeds()
    {
        using var lifetime = new Lifetime();
        var health = new LoopHealth(_heartbeats, new HealthThresholds(Options.Create(new HealthOptions()), lifetime), "some-loop", null);
        var heartbeat = _heartbeats.Of(typeof(SomeLoop));
        for (var i = 0; i <= 6; i++)
        {
            heartbeat.Beat();
            heartbeat.Failed(new InvalidOperationException("secret"));
            (await health.CheckHealthAsync(new HealthCheckContext())).Status.ShouldBe(i < 6 ? HealthStatus.Healthy : HealthStatus.Degraded);
            After(10);
        }

        Silence.ShouldBe(70);
        (await health.CheckHealthAsync(new HealthCheckContext()))
            .Description.ShouldBe("all its runs have failed for 70 s (InvalidOperationException); the log says more");
        heartbeat.Rest();
        Silence.ShouldBe(70);
        _gracePeriod.DatabaseIsAway();
        Silence.ShouldBe(0);
        After(65);
        Silence.ShouldBe(65);
        heartbeat.Succeeded();
        Silence.ShouldBe(0);
        (await health.CheckHealthAsync(new HealthCheckContext())).Status.ShouldBe(HealthStatus.Healthy);
    }

    [Fact]
    public void The_oldest_heartbeat_of_a_loop_counts_and_a_stopped_loop_is_not_silent()
    {
        Silence.ShouldBe(0);
        _heartbeats.Of(typeof(SomeLoop));
        After(5);
        var younger = _heartbeats.Of(typeof(SomeLoop));
        After(1);
        younger.Beat();
        Silence.ShouldBe(6);
    }

    [Fact]
    public void The_silence_timeout_restarts_when_an_outage_ends()
    {
        _heartbeats.Of(typeof(SomeLoop));
        for (var i = 0; i < 100; i++)
        {
            After(10);
            _gracePeriod.DatabaseIsAway();
            Silence.ShouldBe(0);
        }

        After(59);
        Silence.ShouldBe(59);
    }

    [Fact]
    public void A_broker_outage_pauses_only_the_timeouts_of_what_needs_the_broker()
    {
        _heartbeats.Of(typeof(SomeLoop));
        After(100);
        _gracePeriod.BrokerIsAway();
        After(1);
        Silence.ShouldBe(101);
        _gracePeriod.Counted(TimeSpan.FromSeconds(101), needsBroker: true).TotalSeconds.ShouldBe(1);
    }

    [Fact]
    public void An_endpoint_is_silent_since_the_first_canary_without_a_later_arrival()
    {
        var probe = new EndpointProbe("tasks", "tasks", _time);
        After(1000);
        probe.Silence.ShouldBe(TimeSpan.Zero); // nothing was sent
        var first = _time.GetTimestamp();
        After(1);
        probe.Sent(first);
        After(9);
        probe.Sent(_time.GetTimestamp());
        probe.Silence.TotalSeconds.ShouldBe(10);
        probe.Heard();
        probe.Silence.ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void A_canary_that_arrives_before_its_confirm_is_not_missed()
    {
        var probe = new EndpointProbe("tasks", "tasks", _time);
        After(10);
        var at = _time.GetTimestamp();
        probe.Heard();
        probe.Sent(at);
        After(100);
        probe.Silence.ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void A_canary_that_the_broker_did_not_accept_proves_nothing()
    {
        var probe = new EndpointProbe("tasks", "tasks", _time);
        After(10);
        probe.Sent(_time.GetTimestamp());
        After(100);
        probe.Ignore();
        probe.Silence.ShouldBe(TimeSpan.Zero);
        probe.Sent(_time.GetTimestamp());
        After(20);
        probe.Silence.TotalSeconds.ShouldBe(20);
    }

    [Theory]
    [InlineData(59.9, HealthStatus.Healthy)]
    [InlineData(60, HealthStatus.Degraded)]
    [InlineData(179.9, HealthStatus.Degraded)]
    [InlineData(180, HealthStatus.Unhealthy)]
    public void Silence_first_makes_a_process_unready_and_then_not_live(double seconds, HealthStatus expected)
    {
        using var lifetime = new Lifetime();
        var thresholds = new HealthThresholds(Options.Create(new HealthOptions()), lifetime);
        thresholds.Of(TimeSpan.FromSeconds(seconds), "problem").Status.ShouldBe(expected);
        lifetime.StopApplication();
        thresholds.Of(TimeSpan.FromSeconds(seconds), "problem").Status.ShouldBe(HealthStatus.Healthy);
    }

    [Fact]
    public async Task A_loop_that_ended_with_an_exception_is_unhealthy_at_once()
    {
        using var lifetime = new Lifetime();
        using var loop = new SomeLoop();
        var health = new LoopHealth(_heartbeats, new HealthThresholds(Options.Create(new HealthOptions()), lifetime), "some-loop", loop);
        (await health.CheckHealthAsync(new HealthCheckContext())).Status.ShouldBe(HealthStatus.Healthy);
        await loop.StartAsync(CancellationToken.None);
        await Eventually.UntilAsync(() => Task.FromResult(loop.ExecuteTask!.IsCompleted), TimeSpan.FromSeconds(20), "it has ended");
        var result = await health.CheckHealthAsync(new HealthCheckContext());
        result.Status.ShouldBe(HealthStatus.Unhealthy);
        result.Description.ShouldBe("it has ended: NotSupportedException");
    }

    [Theory]
    [InlineData(10, 29, 180, "UnresponsiveAfterSeconds must be at least three times")]
    [InlineData(10, 60, 60, "RestartAfterSeconds must be more than")]
    [InlineData(10, 60, 180, null)]
    public void Settings_that_would_report_healthy_processes_as_unhealthy_are_refused(
        double canary, double unresponsive, double restart, string? problem)
    {
        var options = new HealthOptions { CanarySeconds = canary, UnresponsiveAfterSeconds = unresponsive, RestartAfterSeconds = restart };
        var problems = options.Validate(new(options)).Select(p => p.ErrorMessage!).ToList();
        if (problem is null)
            problems.ShouldBeEmpty();
        else
            problems.ShouldHaveSingleItem().ShouldContain(problem);
    }

    private double Silence => _heartbeats.SilenceOf("some-loop").TotalSeconds;

    private void After(double seconds) => _time.Now = _time.Now.AddSeconds(seconds);

    private sealed class SomeLoop : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.FromException(new NotSupportedException());
    }

    private sealed class Lifetime : IHostApplicationLifetime, IDisposable
    {
        private readonly CancellationTokenSource _stopping = new();

        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => _stopping.Token;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication() => _stopping.Cancel();

        public void Dispose() => _stopping.Dispose();
    }
}
