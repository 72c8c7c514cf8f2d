using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Shouldly;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Integration;

/// <summary>Errors that are longer than what is published, encrypted.</summary>
public sealed class EncryptedErrorTests
{
    private static readonly string Error = "größe 😀 " + new string('x', 3 * TaskEvent.MaxError);

    public static TheoryData<DatabaseProvider> Providers => TestDatabase.Providers;

    [Theory]
    [MemberData(nameof(Providers))]
    public async Task A_long_error_is_whole_in_the_timeline_and_cut_where_it_is_published(DatabaseProvider provider)
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var engine = new TestEngine(database.Address, settings: new()
        {
            ["TaskQueue:Encryption:ActiveKeyId"] = "k1",
            ["TaskQueue:Encryption:Keys:0:Id"] = "k1",
            ["TaskQueue:Encryption:Keys:0:Key"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        });
        var task = New();
        await engine.Store.InsertAsync([task]);
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            await engine.SendAsync(new StartTask(task.CorrelationId, T0.AddHours(attempt), attempt, "w", 1000));
            (await engine.SendAsync(new FailTask(
                task.CorrelationId, T0.AddHours(attempt), attempt, "w", Error, retryable: attempt == 1))).ShouldBe(CommandResult.Applied);
        }

        var published = await engine.Store.ReadEventsAsync(new long[TaskEvent.Partitions], 100);
        published.Where(e => e.Type is TaskEventType.Retrying or TaskEventType.Failed).Select(e => e.Error)
            .ShouldBe([Error[..TaskEvent.MaxError], Error[..TaskEvent.MaxError]]);
        var timeline = await engine.Queries.TimelineAsync(task.CorrelationId, (_, _, _) => default, CancellationToken.None);
        timeline.Where(e => e.Type is TaskEventType.Retrying or TaskEventType.Failed).Select(e => e.Error).ShouldBe([Error, Error]);
        (await engine.SendAsync(new RetryTask(task.CorrelationId, T0.AddDays(1)))).ShouldBe(CommandResult.Applied);
        timeline = await engine.Queries.TimelineAsync(task.CorrelationId, (_, _, _) => default, CancellationToken.None);
        timeline.Where(e => e.Error is not null).Select(e => e.Error).ShouldBe([Error, Error], "a restart keeps it");

        await using var db = database.CreateContext();
        (await db.Attempts.AsNoTracking().Select(a => a.Error).ToListAsync())
            .ShouldAllBe(e => e!.StartsWith("enc:", StringComparison.Ordinal));
        (await db.Outbox.AsNoTracking().ToListAsync()).SelectMany(o => o.Errors ?? [])
            .ShouldAllBe(e => e!.StartsWith("enc:", StringComparison.Ordinal) && e.Length < 2 * TaskEvent.MaxError);
    }
}
