using System.Collections.Concurrent;
using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.Integration;

public abstract partial class QueueRaceTests
{
    /// <summary>Rows that a claim has chosen may be changed in place, or move away and come back, before it takes them.</summary>
    [Fact]
    public async Task A_claim_beside_changes_of_its_rows_returns_each_attempt_once_and_whole()
    {
        const int count = 120;
        var submissions = Enumerable.Range(0, count)
            .Select(i => New($"\"k{i}\"") with { DedupeKey = $"k{i}", MaxAttempts = 20, Retry = AtOnce }).ToList();
        await Any().Tasks.SubmitManyAsync(submissions);
        var attempts = new ConcurrentDictionary<(Guid, int), bool>();
        var problems = new ConcurrentQueue<string>();

        var changing = ManyAsync(4 * count, i => ChangeAsync(submissions[i * 7 % count], i), atOnce: 4);
        var deadline = Now + Deadline;
        while (!changing.IsCompleted || await CountAsync(t => t.State == TaskStates.Pending || t.State == TaskStates.Retrying) > 0)
        {
            await ManyAsync(6, i => TakeAsync(i), atOnce: 6);
            Now.ShouldBeLessThan(deadline, "all tasks end");
        }

        await changing;
        problems.ShouldBeEmpty();
        attempts.Count.ShouldBeGreaterThanOrEqualTo(count);

        async Task<bool> TakeAsync(int worker)
        {
            foreach (var task in await ClaimAsync(5))
            {
                if (!attempts.TryAdd((task.CorrelationId, task.Attempt), true))
                    problems.Enqueue($"attempt {task.Attempt} of {task.CorrelationId} was given out twice");
                if (task.Payload != $"\"{task.DedupeKey}\"")
                    problems.Enqueue($"the payload of {task.DedupeKey} is '{task.Payload}'");
                await ((task.Attempt + worker) % 3 == 0 ? FailAsync(task, retryable: true) : CompleteAsync(task));
            }

            return true;
        }
    }

    /// <summary>Changes the row of a waiting task in place, or moves it away and back.</summary>
    private async Task<bool> ChangeAsync(TaskSubmission task, int i)
    {
        var engine = Any();
        if (i % 2 == 0)
        {
            await engine.Tasks.SubmitAsync(task with
            {
                Id = TaskId.New(TimeProvider.System), Overwrite = OverwriteFields.ScheduledAt | OverwriteFields.Payload,
                ScheduledAt = Now.AddMilliseconds(i % 20),
            });
            return true;
        }

        await engine.Tasks.ApplyAsync<TaskCommand>(
            [new CancelTask(task.Id, Micros.Now(TimeProvider.System)), engine.Tasks.Retry(task.Id, null, null)]);
        return true;
    }
}
