using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using TaskQueue.Storage;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// The server of <see cref="AccessServer"/> on a given database, with access to its log and table changes.
/// </summary>
internal sealed class FuzzServer(DatabaseProvider provider, FailureLog log) : IAsyncDisposable
{
    public AccessServer Access { get; } = new(provider, log);

    /// <summary>The scheduler is stopped, so only requests change data.</summary>
    public async Task InitializeAsync()
    {
        await Access.InitializeAsync();
        foreach (var service in Access.Host.Services.GetServices<IHostedService>()
            .Where(s => s.GetType().Namespace!.StartsWith("TaskQueue.Scheduler", StringComparison.Ordinal)))
            await service.StopAsync(CancellationToken.None);
    }

    /// <summary>Data that a refused request must not change.</summary>
    public async Task<string> FingerprintAsync()
    {
        await using var db = Access.Database.CreateContext();
        var queues = await db.Queues.OrderBy(q => q.Id).Select(q => q.Name + q.Version).ToListAsync();
        var schedules = await db.Schedules.OrderBy(s => s.Id).Select(s => s.Name + s.Version).ToListAsync();
        var counts = new[] { await db.Tasks.CountAsync(), await db.Files.CountAsync(), await db.Batches.CountAsync(),
            await db.ApiKeys.CountAsync() };
        return string.Join(';', queues.Concat(schedules).Concat(counts.Select(c => $"{c}")));
    }

    public async ValueTask DisposeAsync() => await Access.DisposeAsync();
}
