using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Schedules;
using TaskQueue.Storage;
using TaskQueue.Storage.Encryption;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>Entities that EF Core writes are encrypted while they are written, and plain again afterwards.</summary>
public sealed class EncryptedEntitiesTests
{
    private const string Payload = "the payload", Changed = "another payload";

    [Fact]
    public async Task An_entity_stays_plain_in_memory_and_reading_it_is_no_change()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = Engine(database);
        var factory = engine.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>();
        await using (var db = await factory.CreateDbContextAsync())
        {
            var schedule = Schedule("a");
            db.Add(schedule);
            await db.SaveChangesAsync();
            (schedule.Settings.Payload, schedule.Settings.Headers, db.ChangeTracker.HasChanges()).ShouldBe((Payload, "{}", false));
        }

        (await StoredAsync(database)).ShouldNotContain(Payload);
        await using (var db = await factory.CreateDbContextAsync())
        {
            var schedule = db.Open(await db.Schedules.SingleAsync())!;
            (schedule.Settings.Payload, db.ChangeTracker.HasChanges()).ShouldBe((Payload, false));
            schedule.Settings = schedule.Settings with { Payload = Changed };
            await db.SaveChangesAsync();
            (schedule.Settings.Payload, db.ChangeTracker.HasChanges()).ShouldBe((Changed, false));
        }

        (await StoredAsync(database)).ShouldNotContain(Changed);
        await using var last = await factory.CreateDbContextAsync();
        last.Open(await last.Schedules.AsNoTracking().SingleAsync())!.Settings.Payload.ShouldBe(Changed);
    }

    [Fact]
    public async Task A_write_that_failed_can_be_tried_again()
    {
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = Engine(database);
        var factory = engine.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>();
        await using var db = await factory.CreateDbContextAsync();
        db.Add(Schedule("a"));
        await db.SaveChangesAsync();
        var second = Schedule("a"); // the name is taken
        db.Add(second);
        await Should.ThrowAsync<DbUpdateException>(db.SaveChangesAsync());
        second.Settings.Payload.ShouldBe(Payload);

        second.Name = "b";
        await db.SaveChangesAsync();

        await using var other = await factory.CreateDbContextAsync();
        other.Open(await other.Schedules.AsNoTracking().ToListAsync()).ShouldAllBe(s => s.Settings.Payload == Payload);
    }

    [Fact]
    public async Task Nothing_that_a_worker_wrote_about_a_failure_is_stored_plain()
    {
        const string Secret = "secret";
        await using var database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        await using var engine = Engine(database);
        var counts = new FailureCounts();
        var type = $"{Secret}.{new string('é', FailureRules.MaxErrorType - Secret.Length - 1)}";

        for (var attempt = 1; attempt <= 2; attempt++) // the second one into the group that is there
        {
            counts.Add(new Failure(null, "q", "n", FailureKind.Error, type, new FailureSample
            {
                TaskId = Guid.NewGuid(), Attempt = attempt, At = new DateTime(2030, 1, 2, 3, 4, 5, DateTimeKind.Utc),
                Error = $"{Secret} error", Stack = $"{Secret} stack",
            }));
            await engine.FailureCounter.AddAsync(counts.Take(), new FailureOptions(), default);
        }

        var group = (await engine.Failures.ListAsync(new FailureFilter(), null, 10, Access.All, default)).ShouldHaveSingleItem();
        (group.Count, group.ErrorType, group.Message).ShouldBe((2, type, $"{Secret} error"));
        (await engine.Failures.FindAsync(group.Id, Access.All, default))!.Samples.Select(s => (s.Error, s.Stack))
            .ShouldAllBe(s => s.Error == $"{Secret} error" && s.Stack == $"{Secret} stack");
        await using var db = database.CreateContext();
        var stored = await db.FailureGroups.AsNoTracking().SingleAsync();
        string?[] texts = [stored.Message, stored.ErrorType,
            .. (await db.FailureSamples.AsNoTracking().ToListAsync()).SelectMany(s => new[] { s.Error, s.Stack })];
        texts.Length.ShouldBe(6);
        texts.ShouldAllBe(t => t!.StartsWith("enc:v1:k1:"));
    }

    private static ScheduleRecord Schedule(string name) =>
        new() { Queue = "q", Name = name,
            Settings = new ScheduleSettings { Cron = "* * * * *", TimeZone = "UTC", Payload = Payload, Headers = "{}" } };

    private static TestEngine Engine(TestDatabase database) => new(database.Address, settings: new()
    {
        ["TaskQueue:Encryption:ActiveKeyId"] = "k1",
        ["TaskQueue:Encryption:Keys:0:Id"] = "k1",
        ["TaskQueue:Encryption:Keys:0:Key"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
    });

    private static async Task<string> StoredAsync(TestDatabase database)
    {
        await using var db = database.CreateContext();
        return (await db.Schedules.AsNoTracking().SingleAsync()).Settings.Payload;
    }
}
