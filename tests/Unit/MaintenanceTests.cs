using System.ComponentModel.DataAnnotations;
using Hangfire;
using Hangfire.Common;
using Hangfire.InMemory;
using Hangfire.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using TaskQueue.Scheduler.Maintenance;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Intervals, names and the list of allowed jobs.</summary>
public sealed class MaintenanceTests
{
    [Theory]
    [InlineData("00:00:01", "*/1 * * * * *")]
    [InlineData("00:00:30", "*/30 * * * * *")]
    [InlineData("00:01:00", "0 */1 * * * *")]
    [InlineData("00:20:00", "0 */20 * * * *")]
    [InlineData("01:00:00", "0 0 */1 * * *")]
    [InlineData("12:00:00", "0 0 */12 * * *")]
    [InlineData("1.00:00:00", "0 0 0 * * *")]
    public void An_interval_becomes_a_cron_expression_with_that_spacing(string interval, string cron)
    {
        var every = TimeSpan.Parse(interval, null);
        MaintenanceInterval.ToCron(every).ShouldBe(cron);
        var parsed = Cronos(cron, 50);
        parsed.Zip(parsed.Skip(1), (a, b) => b - a).ShouldAllBe(between => between == every);
    }

    [Theory]
    [InlineData("00:00:00")]
    [InlineData("-00:00:05")]
    [InlineData("00:00:00.5")]
    [InlineData("00:00:07")]
    [InlineData("00:01:30")]
    [InlineData("05:00:00")]
    [InlineData("2.00:00:00")]
    public void Other_intervals_are_refused_with_the_name_of_their_key(string interval)
    {
        MaintenanceInterval.ToCron(TimeSpan.Parse(interval, null)).ShouldBeNull();
        var options = new MaintenanceOptions { AbandonedFilesInterval = TimeSpan.Parse(interval, null) };
        options.Validate(new ValidationContext(options)).ShouldHaveSingleItem().ErrorMessage.ShouldNotBeNull()
            .ShouldStartWith("TaskQueue:Maintenance:AbandonedFilesInterval must be 1, 2,");
    }

    [Fact]
    public void The_defaults_are_valid_and_the_names_are_those_that_others_may_rely_on()
    {
        var options = new MaintenanceOptions();
        options.Validate(new ValidationContext(options)).ShouldBeEmpty();
        MaintenanceService.Names.ShouldBe(["task-retention", "callback-retention", "audit-retention", "refused-message-retention",
            "abandoned-files", "failure-retention", "orphaned-logs", "bulk-operation-retention", "stale-usage",
            "lost-workers", "statistics-sample", "statistics-roll-up"]);
    }

    [Theory]
    [InlineData("System.IO.File, mscorlib")]
    [InlineData("System.Diagnostics.Process, System.Diagnostics.Process")]
    [InlineData("TaskQueue.Scheduler.Maintenance.MaintenanceRunner, TaskQueue.Scheduler")]
    [InlineData("System.String")]
    [InlineData("Maintenance")]
    [InlineData("")]
    public void Only_our_own_names_resolve_to_types(string name) =>
        Should.Throw<ForbiddenJobException>(() => HangfireTypes.Resolve(name));

    [Fact]
    public void A_job_is_stored_by_name_and_read_back()
    {
        HangfireTypes.Apply(NullLoggerFactory.Instance);
        var stored = InvocationData.SerializeJob(Job.FromExpression<MaintenanceRunner>(
            r => r.RunAsync("audit-retention", null!, CancellationToken.None), "maintenance"));

        (stored.Type, stored.Method, stored.ParameterTypes).ShouldBe(("maintenance", "RunAsync", """["string","context","token"]"""));
        var read = InvocationData.DeserializePayload(stored.SerializePayload()).DeserializeJob();
        (read.Type, read.Args[0], read.Queue).ShouldBe((typeof(MaintenanceRunner), "audit-retention", "maintenance"));
        Should.Throw<JobLoadException>(() =>
            new InvocationData("System.IO.File", "Delete", """["string"]""", """["\"x\""]""").DeserializeJob());
        Should.Throw<JobLoadException>(() =>
            new InvocationData("maintenance", "Equals", """["System.Object"]""", """["\"x\""]""").DeserializeJob());
    }

    [Fact]
    public void The_activator_creates_only_the_runner()
    {
        using var services = new ServiceCollection().AddSingleton<object>("secret").BuildServiceProvider();
        Should.Throw<ForbiddenJobException>(() => new MaintenanceActivator(services).ActivateJob(typeof(object)));
    }

    [Fact]
    public void A_run_state_round_trips_through_its_hash_and_a_timed_out_run_was_interrupted()
    {
        var now = new DateTime(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc).AddTicks(1_234_560);
        var state = new MaintenanceState
        {
            Holder = "h", JobId = "7", HeldUntil = now.AddSeconds(60), Process = "host:1", StartedAt = now, Outcome = "running",
            Error = "e", IsTransient = true, DurationMs = 5, Removed = 6, SucceededAt = now.AddHours(-1),
        };
        MaintenanceState.Read(state.ToHash()).ShouldBe(state);
        MaintenanceState.Read(new MaintenanceState().ToHash()).ShouldBe(new MaintenanceState());
        MaintenanceState.Read(null).ShouldBe(new MaintenanceState());
        state.OutcomeAt(now).ShouldBe("running");
        state.OutcomeAt(now.AddSeconds(61)).ShouldBe("interrupted");
    }

    [Fact]
    public void SQL_Server_storage_contacts_no_server_before_it_is_used()
    {
        var address = new DatabaseAddress(DatabaseProvider.SqlServer,
            "Server=tcp:192.0.2.1,1433;Database=tasks;User ID=u;Password=p;Connect Timeout=30");
        MaintenanceStorage.Create(address, new MaintenanceOptions()).ToString().ShouldNotBeNull().ShouldContain("SQL Server");
        using var memory = (InMemoryStorage)MaintenanceStorage.Create(new DatabaseAddress(DatabaseProvider.Sqlite, "Data Source=x.db"),
            new MaintenanceOptions());
        memory.JobExpirationTimeout.ShouldBe(TimeSpan.FromMinutes(5));
    }

    private static List<DateTime> Cronos(string cron, int count)
    {
        using var storage = new InMemoryStorage();
        HangfireTypes.Apply(NullLoggerFactory.Instance);
        var now = new DateTime(2031, 2, 3, 0, 0, 0, DateTimeKind.Utc);
        var ticks = new List<DateTime>();
        var manager = new RecurringJobManager(storage, new JobFilterCollection(), new DefaultTimeZoneResolver(), () => now);
        for (var i = 0; i < count; i++)
        {
            using var connection = storage.GetConnection();
            manager.RemoveIfExists("x");
            manager.AddOrUpdate("x",
                Job.FromExpression<MaintenanceRunner>(r => r.RunAsync("x", null!, CancellationToken.None), "maintenance"), cron,
                new RecurringJobOptions());
            now = JobHelper.DeserializeDateTime(connection.GetAllEntriesFromHash("recurring-job:x")["NextExecution"]).AddSeconds(1);
            ticks.Add(now);
        }

        return ticks;
    }
}
