using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What an outbox stores of a task, and what it refuses at once.</summary>
public sealed class OutboxTaskTests
{
    [Fact]
    public void Every_option_of_a_task_is_stored()
    {
        var at = new DateTimeOffset(2040, 1, 2, 3, 4, 5, TimeSpan.FromHours(1));
        var task = new NewTask("mail", "send \"it\" ✓")
        {
            Data = """{ "to":"\u00e4nn","n":1.50 }""", Tier = 2, Priority = Priority.Critical, ScheduledAt = at,
            ExpiresAt = at.AddHours(1), MaxAttempts = 9, DedupeKey = "k", Overwrite = OverwriteFields.Payload | OverwriteFields.ExpiresAt,
            OrderingKey = "o", Lease = TimeSpan.FromSeconds(90), Retry = new RetryPolicy { FirstSeconds = 3, Jitter = 0.5 },
            Tags = ["eu", "vip"], CallbackUrl = new Uri("https://example.org/done"),
        };

        var read = OutboxSubmission.Read(OutboxSubmission.Write(task));

        read.Tags.ShouldBe(task.Tags);
        (read with { Tags = [] }).ShouldBe(task with { Tags = [] });
        var plain = new NewTask("mail", "send");
        OutboxSubmission.Read(OutboxSubmission.Write(plain)).ShouldBe(plain);
        OutboxSubmission.Read(OutboxSubmission.Write(plain with { Data = "null" })).Data.ShouldBe("null");
        var retried = plain with { Retry = new RetryPolicy { Intervals = [1, 2.5] } };
        OutboxSubmission.Read(OutboxSubmission.Write(retried)).Retry.ShouldNotBeNull().Intervals.ShouldBe([1, 2.5]);
    }

    [Fact]
    public void A_table_has_the_name_and_the_schema_that_are_configured()
    {
        using var db = new NamedDb();
        var table = db.Model.FindEntityType(typeof(OutboxTask)).ShouldNotBeNull();

        (table.GetTableName(), table.GetSchema()).ShouldBe(("tasks_to_send", "shop"));
        table.GetProperties().Select(p => p.GetColumnName()).ShouldBe(
            ["sequence", "task_id", "queue", "submission", "size", "created_at", "attempts", "error", "set_aside_at", "locked_until",
                "locked_by"],
            ignoreOrder: true);
    }

    [Fact]
    public void Conventions_of_the_application_for_its_texts_do_not_hold_for_tasks()
    {
        using var db = new NarrowDb();
        var table = db.Model.FindEntityType(typeof(OutboxTask)).ShouldNotBeNull();
        var (submission, error) = (table.FindProperty(nameof(OutboxTask.Submission))!, table.FindProperty(nameof(OutboxTask.Error))!);

        (submission.GetMaxLength(), submission.IsUnicode()).ShouldBe((null, null));
        (error.GetMaxLength(), error.IsUnicode()).ShouldBe((2000, null));
    }

    [Theory]
    [InlineData("no such name!", "n", "1", "must be a name")]
    [InlineData("mail:1", "n", "1", "NewTask.Tier")]
    [InlineData("mail", "", "1", "1 to 256 characters")]
    [InlineData("mail", "n", "{", "not JSON")]
    public void A_task_that_can_never_be_accepted_is_refused_at_once(string queue, string name, string data, string why)
    {
        using var db = new NamedDb();

        Should.Throw<ArgumentException>(() => db.Enqueue(new NewTask(queue, name) { Data = data })).Message.ShouldContain(why);
        db.ChangeTracker.HasChanges().ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_missing_is_named()
    {
        using var bare = new BareDb(new DbContextOptions<BareDb>());
        Should.Throw<InvalidOperationException>(() => bare.Enqueue("mail", "send", 1)).Message.ShouldContain("AddTaskQueueOutbox");

        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddDbContext<BareDb>();
        builder.Services.AddTaskQueueClient(_ => { });
        builder.Services.AddTaskQueueOutbox<BareDb>();
        using var host = builder.Build();
        (await Should.ThrowAsync<InvalidOperationException>(() => host.StartAsync())).Message.ShouldContain("BareDb has no outbox");

        Should.Throw<InvalidOperationException>(() => builder.Services.AddTaskQueueOutbox<BareDb>()).Message.ShouldContain("already");
        Should.Throw<OptionsValidationException>(() => new ServiceCollection().AddTaskQueueOutbox<BareDb>(o => o.BatchSize = 0))
            .Message.ShouldContain("OutboxOptions.BatchSize must be 1 to 1000");
        using var without = new ServiceCollection().AddTaskQueueOutbox<BareDb>().BuildServiceProvider();
        Should.Throw<InvalidOperationException>(() => without.GetServices<IHostedService>().ToList())
            .Message.ShouldContain("AddTaskQueueClient or AddTaskQueueBusProducer");
    }

    [Fact]
    public void Each_context_has_an_outbox_of_its_own()
    {
        using var services = new ServiceCollection().AddTaskQueueClient(_ => { }).AddTaskQueueOutbox<NamedDb>()
            .AddTaskQueueOutbox<BareDb>(o => o.RunsRelay = false).AddTaskQueueOutbox<Other.BareDb>(o => o.RunsRelay = false)
            .BuildServiceProvider();

        var hosted = services.GetServices<IHostedService>().ToList();
        hosted.OfType<OutboxRelay<NamedDb>>().ShouldHaveSingleItem();
        hosted.OfType<OutboxRelay<BareDb>>().ShouldBeEmpty();
        services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations.Select(r => r.Name)
            .ShouldBe(["taskqueue-outbox-NamedDb", "taskqueue-outbox-BareDb", $"taskqueue-outbox-{typeof(Other.BareDb).FullName}"]);
        services.GetRequiredService<OutboxAdmin<BareDb>>().ShouldNotBeNull();
    }

    [Theory]
    [InlineData(0, null, OutboxFault.Unavailable)]
    [InlineData(503, "database_unavailable", OutboxFault.Unavailable)]
    [InlineData(429, "quota_exceeded", OutboxFault.Unavailable)]
    [InlineData(401, "unauthorized", OutboxFault.Unavailable)]
    [InlineData(404, null, OutboxFault.Unavailable)] // a proxy without its server
    [InlineData(404, "not_found", OutboxFault.Refused)]
    [InlineData(400, "invalid_task", OutboxFault.Refused)]
    [InlineData(409, "id_taken", OutboxFault.Refused)]
    [InlineData(413, null, OutboxFault.Refused)]
    [InlineData(422, null, OutboxFault.Refused)]
    [InlineData(403, "forbidden", OutboxFault.Forbidden)]
    public void A_failure_means_the_task_the_queue_or_the_server(int status, string? code, object meaning) =>
        OutboxFaults.Judge(new TaskQueueException("no", status, code)).ShouldBe((OutboxFault)meaning);

    private sealed class NamedDb : DbContext
    {
        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseNpgsql("Host=localhost");

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddTaskQueueOutbox("tasks_to_send", "shop");
    }

    private sealed class NarrowDb : DbContext
    {
        protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder) =>
            configurationBuilder.Properties<string>().AreUnicode(false).HaveMaxLength(50);

        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseNpgsql("Host=localhost");

        protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.AddTaskQueueOutbox();
    }

    private static class Other
    {
        internal sealed class BareDb(DbContextOptions<BareDb> options) : DbContext(options);
    }

    private sealed class BareDb(DbContextOptions<BareDb> options) : DbContext(options)
    {
        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseNpgsql("Host=localhost");
    }
}
