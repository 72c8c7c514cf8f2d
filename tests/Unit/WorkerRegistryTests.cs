using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Workers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What a process knows of the workers that contact it.</summary>
public sealed class WorkerRegistryTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly WorkerRegistry _registry;

    public WorkerRegistryTests() => _registry = new WorkerRegistry(Options.Create(new WorkerOptions()), _time);

    [Fact]
    public void A_read_of_draining_workers_does_not_undo_what_happened_after_it_began()
    {
        var (key, contact) = (new WorkerKey("a", "key", "w"), new WorkerContact(WorkerContact.Http, "a") { Instance = "1" });
        var worker = _registry.Seen(key, contact)!;
        IReadOnlySet<string> none = new HashSet<string>(), all = new HashSet<string> { worker.Id };

        var before = _registry.Moment();
        _registry.Drain(worker.Id);
        _registry.Update(none, before);
        worker.IsDraining.ShouldBeTrue();
        _registry.Update(all, _registry.Moment());
        worker.IsDraining.ShouldBeTrue();

        before = _registry.Moment();
        _registry.Seen(key, contact with { Instance = "2" });
        _registry.Update(all, before);
        worker.IsDraining.ShouldBeFalse();

        _registry.Update(all, _registry.Moment()); // the second start was asked too
        worker.IsDraining.ShouldBeTrue();
        _registry.Update(none, _registry.Moment());
        worker.IsDraining.ShouldBeFalse();
    }

    [Fact]
    public void A_worker_that_was_known_from_a_report_starts_with_its_first_contact()
    {
        var key = new WorkerKey("a", "key", "w");
        var contact = new WorkerContact(WorkerContact.Http, "a") { Instance = "2" };
        _registry.Seen(key); // a report of the start before
        _time.Advance(TimeSpan.FromMinutes(1));
        var start = Micros.Now(_time);
        _registry.Seen(key, contact);
        _time.Advance(TimeSpan.FromMinutes(1));
        _registry.Seen(key, contact with { Slots = 4 });

        var sighting = _registry.TakeChanges(TimeSpan.Zero).ShouldHaveSingleItem().Sighting;
        (sighting.StartedAt, sighting.SeenAt).ShouldBe((start, Micros.Now(_time)));
    }

    [Fact]
    public void What_could_not_be_counted_is_counted_with_the_next_round_and_silence_says_nothing_for_a_while()
    {
        _time.Advance(TimeSpan.FromHours(1));
        _registry.Lost("w", "key", isRetried: true);
        var lost = _registry.TakeLost();
        _registry.Lost("w", "key", isRetried: false);
        _registry.PutBack(lost);
        _registry.Restart();

        _registry.TakeLost().ShouldBe([new LostTasks("w", "key", 1, 1)]);
        _registry.TakeLost().ShouldBeEmpty();
        _registry.Age.ShouldBe(TimeSpan.Zero);
    }
}
