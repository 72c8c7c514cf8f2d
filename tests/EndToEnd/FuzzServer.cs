using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The server of <see cref="AccessServer"/> on a database of choice, watched: what it logs, and whether its tables change.</summary>
internal sealed class FuzzServer(DatabaseProvider provider, FailureLog log) : IAsyncDisposable
{
    public AccessServer Access { get; } = new(provider, services => services.AddSingleton<ILoggerProvider>(log));

    public Task InitializeAsync() => Access.InitializeAsync();

    /// <summary>What a refused request must leave as it was.</summary>
    public async Task<string> FingerprintAsync()
    {
        await using var db = Access.Database.CreateContext();
        var tasks = await db.Tasks.GroupBy(t => t.State).Select(g => new { g.Key, Count = g.Count() }).OrderBy(g => g.Key).ToListAsync();
        var queues = await db.Queues.OrderBy(q => q.Id).Select(q => q.Name + q.Version).ToListAsync();
        var schedules = await db.Schedules.OrderBy(s => s.Id).Select(s => s.Name + s.Version).ToListAsync();
        var counts = new[] { await db.Files.CountAsync(), await db.Batches.CountAsync(), await db.ApiKeys.CountAsync() };
        return string.Join(';', tasks.Select(t => $"{t.Key}={t.Count}").Concat(queues).Concat(schedules).Concat(counts.Select(c => $"{c}")));
    }

    public async ValueTask DisposeAsync() => await Access.DisposeAsync();
}
