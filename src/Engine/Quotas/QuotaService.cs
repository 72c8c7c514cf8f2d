using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Health;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Engine.Quotas;

/// <summary>Reads the quotas of issued keys, and exchanges with the other processes what each of them uses.</summary>
internal sealed partial class QuotaService(
    TenantQuotas quotas, StreamQuota streams, RequestQuota requests, WaitingTaskQuota waiting, FileQuota files, ProcessPresence presence, IDbContextFactory<TaskDbContext> databases,
    DatabaseAddress address, LoopHeartbeats heartbeats, DependencyHealth dependencies, TimeProvider time, ILogger<QuotaService> logger) : BackgroundService
{
    private const string Presence = "process";

    private static readonly TimeSpan Round = TimeSpan.FromSeconds(3);

    /// <summary>Between two rounds, however often streams are opened.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly SemaphoreSlim _wake = new(0); // not disposed: a stream may still be opened while the process stops
    private long? _readAt;
    private bool _isPublished;

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var heartbeat = heartbeats.Of(GetType());
        if (address.Provider != DatabaseProvider.Sqlite)
            streams.OnOpen = Wake;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await TurnAsync(stoppingToken);
                heartbeat.Beat();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                if (!dependencies.TryHandle(fault))
                    LogFailed(fault);
            }

            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ((Task)_wake.WaitAsync(Round, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await LeaveAsync();
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0)
            _wake.Release();
    }

    private async Task TurnAsync(CancellationToken cancellationToken)
    {
        if (_readAt is not { } at || time.GetElapsedTime(at) >= Round)
        {
            await quotas.ReadKeysAsync(cancellationToken);
            _readAt = time.GetTimestamp();
            waiting.Prune();
            requests.Prune();
            files.Prune();
        }

        // A SQLite file serves one process, and a process that uses nothing has nothing to say.
        if (address.Provider == DatabaseProvider.Sqlite || !(streams.IsActive || requests.IsActive || _isPublished))
            return;
        var now = Micros.Now(time);
        await using var db = await databases.CreateDbContextAsync(cancellationToken);
        await PublishPresenceAsync(db, now, cancellationToken);
        await streams.ExchangeAsync(db, now, cancellationToken);
        _isPublished = true;
    }

    private async Task PublishPresenceAsync(TaskDbContext db, DateTime now, CancellationToken cancellationToken)
    {
        var mine = db.TenantUsage.Where(u => u.Tenant == "" && u.Resource == Presence && u.Process == presence.Name);
        if (await mine.ExecuteUpdateAsync(u => u.SetProperty(x => x.UpdatedAt, now), cancellationToken) == 0)
            db.TenantUsage.Add(new TenantUsage { Resource = Presence, Process = presence.Name, Amount = 1, UpdatedAt = now });
        var since = now - StreamQuota.MaxAge;
        presence.Processes = 1 + await db.TenantUsage.CountAsync(u => u.Tenant == "" && u.Resource == Presence && u.Process != presence.Name && u.UpdatedAt > since, cancellationToken);
        // What processes that are gone left behind.
        var before = now - (20 * StreamQuota.MaxAge);
        await db.TenantUsage.Where(u => u.Process != "" && u.UpdatedAt < before).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>A process that stops takes its counts with it.</summary>
    private async Task LeaveAsync()
    {
        if (!_isPublished)
            return;
        try
        {
            using var patience = new CancellationTokenSource(Round, time);
            await using var db = await databases.CreateDbContextAsync(patience.Token);
            await db.TenantUsage.Where(u => u.Process == presence.Name).ExecuteDeleteAsync(patience.Token);
        }
#pragma warning disable CA1031 // the rows count for 15 seconds more
        catch (Exception fault)
#pragma warning restore CA1031
        {
            dependencies.TryHandle(fault);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Exchanging the use of quotas failed; trying again")]
    private partial void LogFailed(Exception fault);
}
