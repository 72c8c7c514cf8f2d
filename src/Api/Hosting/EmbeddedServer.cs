using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using TaskQueue.Engine;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Queues;
using TaskQueue.Scheduler;
using TaskQueue.Storage;

namespace TaskQueue.Api.Hosting;

/// <summary>What <see cref="EmbeddedServer"/> looks for.</summary>
internal enum EmbeddedWork
{
    /// <summary>Tasks that run or are due, and what is overdue.</summary>
    All,

    /// <summary>What the scheduler must do: due schedules, expired tasks and leases.</summary>
    Overdue,
}

/// <summary>Work that is left.</summary>
/// <param name="Queue">Its queue.</param>
/// <param name="Name">Name of the tasks or of the schedule.</param>
/// <param name="IsRunning">Whether the tasks run; else they wait.</param>
/// <param name="Count">Number of the tasks; 0 for a schedule.</param>
internal sealed record EmbeddedWorkLeft(string Queue, string? Name, bool IsRunning, int Count);

/// <summary>The whole server in the process of another program, for its tests: see docs/testing.md.</summary>
internal sealed class EmbeddedServer : IAsyncDisposable
{
    /// <summary>The queue whose tasks the server runs itself.</summary>
    public const string OwnQueue = BuiltInQueues.Tasks;

    private const string Roles = "api,scheduler,consumers";
    private const string AnyPort = "http://127.0.0.1:0";

    /// <summary>Lines of a message.</summary>
    private const int MaxLeft = 20;

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    private readonly WebApplication _app;
    private readonly IDbContextFactory<TaskDbContext> _databases;
    private readonly TimeProvider _time;
    private readonly QueueCatalog _queues;

    private EmbeddedServer(WebApplication app)
    {
        _app = app;
        _databases = app.Services.GetRequiredService<IDbContextFactory<TaskDbContext>>();
        _time = app.Services.GetRequiredService<TimeProvider>();
        _queues = app.Services.GetRequiredService<QueueCatalog>();
        Address = new Uri(app.Urls.First());
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; }

    /// <summary>Starts a server that nothing but the settings configures, and waits until it is ready.</summary>
    /// <param name="folder">Folder of its database.</param>
    /// <param name="time">Its clock.</param>
    /// <param name="settings">Configuration keys.</param>
    /// <param name="log">Receives its log; null: the console.</param>
    /// <param name="patience">How long it may take by the machine's clock.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public static async Task<EmbeddedServer> StartAsync(string folder, TimeProvider time,
        IEnumerable<KeyValuePair<string, string?>> settings, ILoggerProvider? log, TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            return await StartAsync(Build(folder, time, settings, log is null ? "Warning" : "Information"), log, patience,
                cancellationToken);
        }
        catch (StartupException fault)
        {
            throw new InvalidOperationException(fault.Message, fault);
        }
    }

    private static WebApplication Build(
        string folder, TimeProvider time, IEnumerable<KeyValuePair<string, string?>> settings, string level) =>
        Server.Build(new ServerOptions(Roles, AnyPort), builder =>
        {
            // What the environment and the folder of the tests configure.
            foreach (var source in builder.Configuration.Sources
                .Where(s => s is EnvironmentVariablesConfigurationSource or FileConfigurationSource).ToList())
                builder.Configuration.Sources.Remove(source);
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["ConnectionStrings:TaskQueue"] = $"Data Source={Path.Combine(folder, "taskqueue.db")}",
                ["Logging:LogLevel:Default"] = level,
                ["TaskQueue:Drain:GraceSeconds"] = "2",
            });
            builder.Configuration.AddInMemoryCollection(settings);
            builder.Services.AddSingleton(time).AddSingleton<IHostLifetime, NoSignals>().ShareHangfire();
        });

    private static async Task<EmbeddedServer> StartAsync(WebApplication app, ILoggerProvider? log, TimeSpan patience,
        CancellationToken cancellationToken)
    {
        try
        {
            if (log is not null)
                app.Services.GetRequiredService<ILoggerFactory>().AddProvider(log);
            await StartupChecks.RunAsync(app.Services, cancellationToken);
            await app.StartAsync(cancellationToken);
            await BecomeReadyAsync(app, patience, cancellationToken);
            return new EmbeddedServer(app);
        }
        catch
        {
            await DisposeAsync(app);
            throw;
        }
    }

    /// <summary>Tells the loops that the clock was moved.</summary>
    public void LookNow() => SchedulerRole.LookNow(_app.Services);

    /// <summary>The work that is left, by queue and name. One statement reads all tasks, so that none is missed while it moves.</summary>
    /// <param name="work">What to look for.</param>
    /// <param name="queues">Queues of the tasks; null: all.</param>
    /// <param name="cancellationToken">Stops the statements.</param>
    public async Task<IReadOnlyList<EmbeddedWorkLeft>> LeftAsync(
        EmbeddedWork work, List<string>? queues, CancellationToken cancellationToken)
    {
        var now = Micros.Now(_time);
        var paused = await PausedAsync();
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        // Before the tasks: a schedule that fires enqueues its task in the same transaction.
        var schedules = await db.Schedules.AsNoTracking().Where(s => s.NextAt <= now).OrderBy(s => s.NextAt).Take(MaxLeft)
            .Select(s => new { s.Queue, s.Name }).ToListAsync(cancellationToken);
        var (waiting, running) = (db.Ready.AsNoTracking(), db.Running.AsNoTracking());
        (waiting, running) = work == EmbeddedWork.All
            ? (waiting.Where(t => (!t.Blocked && t.DueAt <= now && !paused.Contains(t.Queue)) || t.ExpiresAt <= now), running)
            : (waiting.Where(t => t.ExpiresAt <= now), running.Where(t => t.LeaseUntil <= now));
        if (queues is not null)
            (waiting, running) = (waiting.Where(t => queues.Contains(t.Queue)), running.Where(t => queues.Contains(t.Queue)));
        var tasks = await waiting.Select(t => new { t.Queue, t.Name, IsRunning = false })
            .Concat(running.Select(t => new { t.Queue, t.Name, IsRunning = true }))
            .GroupBy(t => new { t.Queue, t.Name, t.IsRunning })
            .Select(g => new { g.Key.Queue, g.Key.Name, g.Key.IsRunning, Count = g.Count() })
            .OrderBy(g => g.Queue).ThenBy(g => g.Name).Take(MaxLeft).ToListAsync(cancellationToken);
        return
        [
            .. tasks.Select(t => new EmbeddedWorkLeft(t.Queue, t.Name, t.IsRunning, t.Count)),
            .. schedules.Select(s => new EmbeddedWorkLeft(s.Queue, s.Name, IsRunning: false, Count: 0)),
        ];
    }

    /// <summary>When the first waiting task is due, now or later, unless its queue is paused; null if none waits.</summary>
    public async Task<DateTimeOffset?> NextDueAsync(CancellationToken cancellationToken)
    {
        var paused = await PausedAsync();
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        return Utc(await db.Ready.AsNoTracking().Where(t => !t.Blocked && !paused.Contains(t.Queue))
            .MinAsync(t => (DateTime?)t.DueAt, cancellationToken));
    }

    /// <summary>When the first schedule fires, now or later; null if there is none.</summary>
    public async Task<DateTimeOffset?> NextTickAsync(CancellationToken cancellationToken)
    {
        await using var db = await _databases.CreateDbContextAsync(cancellationToken);
        return Utc(await db.Schedules.AsNoTracking().MinAsync(s => s.NextAt, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _app.StopAsync();
        }
        finally
        {
            await DisposeAsync(_app);
        }
    }

    private static async Task DisposeAsync(WebApplication app)
    {
        var database = app.Services.GetRequiredService<DatabaseAddress>();
        try
        {
            await app.DisposeAsync();
        }
        finally
        {
            if (database.Provider == DatabaseProvider.Sqlite)
            {
                await using var connection = new SqliteConnection(database.ConnectionString);
                SqliteConnection.ClearPool(connection); // it keeps the file open
            }
        }
    }

    private async Task<List<string>> PausedAsync() =>
        [.. (await _queues.AllAsync()).Values.Where(q => q.Settings.Paused).Select(q => q.Name)];

    private static DateTimeOffset? Utc(DateTime? time) =>
        time is { } known ? new DateTimeOffset(DateTime.SpecifyKind(known, DateTimeKind.Utc)) : null;

    private static async Task BecomeReadyAsync(WebApplication app, TimeSpan patience, CancellationToken cancellationToken)
    {
        var (started, checks) = (Stopwatch.GetTimestamp(), app.Services.GetRequiredService<HealthCheckService>());
        while (true)
        {
            var report = await checks.CheckHealthAsync(c => c.Tags.Contains(HealthRegistration.Ready), cancellationToken);
            if (report.Status == HealthStatus.Healthy)
                return;
            if (Stopwatch.GetElapsedTime(started) > patience)
                throw new TimeoutException($"The server was not ready within {patience.TotalSeconds:0.###} s: "
                    + string.Join("; ", report.Entries.Where(e => e.Value.Status != HealthStatus.Healthy).Select(e => e.Key)));
            await Task.Delay(LookAgain, cancellationToken);
        }
    }

    /// <summary>Leaves signals to the program that the server is part of.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
