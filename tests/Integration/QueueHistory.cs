using System.Globalization;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Administration;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Integration;

/// <summary>
/// A random life of three queues, run by an engine and by a model. Every answer is compared, and after every step the whole
/// observable state. The same seed gives the same steps.
/// </summary>
internal sealed partial class QueueHistory(int seed, TestDatabase database, TestEngine engine, SetTime time)
{
    /// <summary>Two declared queues, and an undeclared one.</summary>
    private static readonly string[] Queues = ["a", "b", "c"];

    private readonly Random _random = new(seed);
    private readonly QueueModel _model = new();
    private readonly Dictionary<string, int> _versions = [];
    private readonly List<string> _steps = [];

    public async Task RunAsync(int steps)
    {
        try
        {
            foreach (var queue in Queues[..2])
            {
                await engine.Queues.CreateAsync(queue, Delivery.Pull, new QueueSettings());
                (_model.Queues[queue], _versions[queue]) = (new QueueSettings(), 1);
            }

            for (var step = 0; step < steps; step++)
            {
                _model.Now = Micros.Now(time);
                await StepAsync();
                await CompareAsync(Pick(Queues));
            }
        }
        catch (Exception fault)
        {
            throw new InvalidOperationException(
                $"Seed {seed}, step {_steps.Count} (again with TASKQUEUE_MODEL_SEED={seed}): "
                    + $"{fault.Message}\n\nSteps:\n{string.Join('\n', _steps)}", fault);
        }
    }

    private Task StepAsync() => _random.Next(100) switch
    {
        < 13 => SubmitAsync(many: false),
        < 22 => SubmitAsync(many: true),
        < 40 => ClaimAsync(),
        < 45 => AttemptAsync("renew", null, (id, attempt, worker, lease) =>
            (engine.Tasks.Renew(id, attempt, worker, lease), _model.Renew(id, attempt, worker, lease))),
        < 51 => AttemptAsync("complete", "[1]", (id, attempt, worker, _) =>
            (engine.Tasks.Complete(id, attempt, worker, "[1]"), _model.Complete(id, attempt, worker, "[1]"))),
        < 61 => FailAsync(),
        < 64 => SnoozeAsync(),
        < 68 => CancelAsync(),
        < 71 => DeleteAsync(),
        < 75 => RestartAsync(),
        < 76 => RedriveAsync(),
        < 79 => ExpireLeasesAsync(),
        < 82 => ExpireAsync(),
        < 89 => ChangeAsync(),
        < 90 => PurgeAsync(),
        < 92 => RemoveAsync(),
        _ => JumpAsync(),
    };

    private async Task SubmitAsync(bool many)
    {
        var tasks = Enumerable.Range(0, many ? _random.Next(2, 9) : 1).Select(_ => Submission()).ToList();
        if (many && Chance(10))
            tasks.Add(Submission() with { Id = Pick(tasks).Id });
        Log($"submit {string.Join("\n       ", tasks.Select(Text))}");
        if (_model.HasConflict(tasks))
        {
            await Should.ThrowAsync<TaskIdConflictException>(() =>
                many ? engine.Tasks.SubmitManyAsync(tasks) : engine.Tasks.SubmitAsync(tasks[0]));
            Answered("conflict");
            return;
        }

        var answers = many ? await engine.Tasks.SubmitManyAsync(tasks) : [await engine.Tasks.SubmitAsync(tasks[0])];
        Answered(string.Join(", ", answers.Select(a => a.Result)));
        var expected = _model.Submit(tasks);
        answers.Select(a => (a.Id, a.Result)).ShouldBe(expected.Select(a => (a.Id, a.Result)));
        // The head of the key is determined after the answer, and of a task that was there nothing large is read.
        foreach (var (answer, wanted) in answers.Zip(expected))
        {
            if (answer.Result == SubmitStatus.Accepted)
                ShouldBeSame(answer.Task, wanted.Task, nameof(TaskState.Blocked));
            else
                ShouldBeSame(answer.Task, wanted.Task, nameof(TaskState.Blocked), nameof(TaskState.Payload), nameof(TaskState.Error),
                    nameof(TaskState.Progress));
        }
    }

    private async Task ClaimAsync()
    {
        var targets = Enumerable.Range(0, _random.Next(1, 5)).Select(_ => new QueueTier(Pick(Queues), _random.Next(2))).ToList();
        var request = new ClaimRequest(targets, _random.Next(1, 6), Worker(), Chance(30) ? _random.Next(1, 60) * 1000 : null,
            Chance(30) ? ClaimOrder.Oldest : ClaimOrder.FirstTarget);
        Log($"claim {request.Max} of {string.Join(", ", targets.Select(t => $"{t.Queue}:{t.Tier}"))} by {request.Worker} "
            + $"lease {request.LeaseMs} order {request.Order}");
        var taken = await engine.Claims.ClaimAsync(request, TimeSpan.Zero, CancellationToken.None);
        Answered(string.Join(", ", taken.Select(t => Short(t.CorrelationId))));
        var expected = _model.Claim(request);
        taken.Select(t => t.CorrelationId).ShouldBe(expected.Select(t => t.CorrelationId));
        foreach (var (task, wanted) in taken.Zip(expected))
            ShouldBeSame(task, wanted, nameof(TaskState.Error)); // of earlier attempts: not delivered
    }

    private Task FailAsync()
    {
        var retryable = Chance(75);
        return AttemptAsync($"fail (retryable: {retryable})", "", (id, attempt, worker, _) =>
            (engine.Tasks.Fail(id, attempt, worker, "broken", retryable), _model.Fail(id, attempt, worker, "broken", retryable)));
    }

    private Task SnoozeAsync()
    {
        var wait = TimeSpan.FromMilliseconds(_random.Next(60_000));
        return AttemptAsync($"snooze {wait}", "", (id, attempt, worker, _) =>
            (engine.Tasks.Snooze(id, attempt, worker, wait), _model.Snooze(id, attempt, worker, wait)));
    }

    /// <summary>Mostly the running attempt; sometimes an earlier one, another worker's, or one of a task that does not run.</summary>
    private async Task AttemptAsync(string what, string? detail,
        Func<Guid, int, string?, int?, (TaskCommand Command, CommandResult Expected)> act)
    {
        var task = Chance(85) ? AnyTask(t => t.State == TaskStates.Running) : AnyTask(_ => true);
        var (id, attempt) = (task?.CorrelationId ?? NewId(), (task?.Attempt ?? 1) + (Chance(10) ? -1 : 0));
        var worker = Chance(15) ? Worker() : Chance(50) ? task?.Worker : null;
        int? lease = detail is null && Chance(40) ? _random.Next(1, 60) * 1000 : null;
        Log($"{what} {Short(id)} attempt {attempt} by {worker ?? "-"} lease {lease}");
        var (command, expected) = act(id, attempt, worker, lease);
        Answered(await engine.SendAsync(command)).ShouldBe(expected);
    }

    private async Task CancelAsync()
    {
        var id = AnyTask(_ => true)?.CorrelationId ?? NewId();
        Log($"cancel {Short(id)}");
        Answered(await engine.Tasks.CancelAsync(id, Access.All)).ShouldBe(_model.Cancel(id));
    }

    private async Task DeleteAsync()
    {
        var id = AnyTask(_ => true)?.CorrelationId ?? NewId();
        Log($"delete {Short(id)}");
        Answered(await engine.SendAsync(engine.Tasks.Delete(id))).ShouldBe(_model.Delete(id));
    }

    private async Task RestartAsync()
    {
        var task = Chance(90) ? AnyTask(t => t.State is TaskStates.Failed or TaskStates.Cancelled) : AnyTask(_ => true);
        var (id, due, end) = (task?.CorrelationId ?? NewId(), SomeTime(-5, 60, 30), SomeTime(-5, 300, 30));
        Log($"restart {Short(id)} at {due:O} until {end:O}");
        Answered(await engine.SendAsync(engine.Tasks.Retry(id, due, end))).ShouldBe(_model.Restart(id, due, end));
    }

    private async Task RedriveAsync()
    {
        var queue = Pick(Queues);
        Log($"redrive {queue}");
        Answered(await engine.Tasks.RedriveAsync(queue, CancellationToken.None)).ShouldBe(_model.Redrive(queue));
    }

    private async Task ExpireLeasesAsync()
    {
        Log("lease expiry");
        var ids = await SweepAsync(Sweep.ExpiredLease, id => new ExpireLease(id, _model.Now));
        ids.Order().ShouldBe(_model.ExpireLease().Order());
    }

    private async Task ExpireAsync()
    {
        Log("expire");
        var ids = await SweepAsync(Sweep.Expired, id => new ExpireTask(id, _model.Now));
        ids.Order().ShouldBe(_model.Expire().Order());
    }

    private async Task<IReadOnlyList<Guid>> SweepAsync(Sweep sweep, Func<Guid, TaskCommand> command)
    {
        var ids = await engine.Store.SelectAsync(sweep, _model.Now, 1000);
        var commands = await engine.Tasks.ApplyAsync([.. ids.Select(command)]);
        Answered(commands.Count).ShouldBe(commands.Count(c => c.CommandResult == CommandResult.Applied));
        return ids;
    }

    private async Task ChangeAsync()
    {
        var queue = Pick(Queues);
        var settings = Chance(40) ? _model.SettingsOf(queue) with { Paused = !_model.SettingsOf(queue).Paused } : Settings();
        int? expected = Chance(20) ? _versions.GetValueOrDefault(queue) + (Chance(50) ? -1 : 0) : null;
        Log($"change {queue} from version {expected} to {settings.ToText()}");
        var (change, record) = await engine.Queues.UpdateAsync(queue, settings, expected);
        Answered(change);
        if (!_versions.TryGetValue(queue, out var version))
        {
            change.ShouldBe(QueueChange.NotFound);
        }
        else if (expected is { } wanted && wanted != version)
        {
            change.ShouldBe(QueueChange.VersionMismatch);
        }
        else
        {
            (change, record!.Version, record.UpdatedAt).ShouldBe((QueueChange.Done, version + 1, _model.Now));
            _versions[queue] = version + 1;
            _model.Change(queue, settings);
        }
    }

    private async Task PurgeAsync()
    {
        var queue = Pick(Queues);
        Log($"purge {queue}");
        Answered(await engine.Queues.PurgeAsync(queue)).ShouldBe(_model.Purge(queue));
    }

    private async Task RemoveAsync()
    {
        var publish = Chance(70);
        Log($"remove deleted (published: {publish})");
        if (publish)
        {
            await PublishAsync();
            _model.Publish();
        }

        Answered(await engine.QueueStore.RemoveDeletedAsync(_model.Now, 1000)).ShouldBe(_model.RemoveDeleted());
    }

    private Task JumpAsync()
    {
        var seconds = Pick([0.000_001, 0.001, 0.5, 1, 2, 5, 15, 15, 60, 600, 86_400]) * (0.5 + _random.NextDouble());
        time.Now += TimeSpan.FromSeconds(seconds);
        Log(string.Create(CultureInfo.InvariantCulture, $"time + {seconds:0.######} s"));
        return Task.CompletedTask;
    }

    private T Answered<T>(T answer)
    {
        _steps[^1] += $" -> {answer}";
        return answer;
    }

    private void Log(string step) => _steps.Add($"{_steps.Count + 1,4} {_model.Now:HH:mm:ss.ffffff} {step}");
}
