using System.Diagnostics;
using TaskQueue.Bench.Servers;

namespace TaskQueue.Bench.Soak;

/// <summary>Takes samples from the differences between consecutive snapshots.</summary>
internal sealed class SoakWatch(IReadOnlyList<ServerProcess> servers, SoakProbe probe, SoakLoad load, SoakBrowser? browser)
{
    private long _begun;
    private Look? _last;

    public SoakLoad Load => load;

    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        _begun = Stopwatch.GetTimestamp();
        _last = await LookAsync(cancellationToken);
    }

    public async Task<SoakSample> SampleAsync(CancellationToken cancellationToken)
    {
        var (before, now) = (_last!, await LookAsync(cancellationToken));
        _last = now;
        var seconds = now.Seconds - before.Seconds;
        var (claim, late) = load.Take();
        return new SoakSample(
            now.Seconds, now.Database,
            [.. servers.Select((s, i) => new ProcessLook(s.ReadMemory().Now, (now.CpuSeconds[i] - before.CpuSeconds[i]) / seconds))],
            claim, (now.Accepted - before.Accepted) / seconds, (now.Completed - before.Completed) / seconds,
            (now.Database.Table("tasks").Deleted - before.Database.Table("tasks").Deleted) / seconds,
            (now.Database.Wal - before.Database.Wal) / seconds, late, browser?.ReadMegabytes());
    }

    private async Task<Look> LookAsync(CancellationToken cancellationToken)
    {
        var database = await probe.LookAsync(cancellationToken);
        return new Look(Stopwatch.GetElapsedTime(_begun).TotalSeconds, database, load.Accepted, load.Completed,
            [.. servers.Select(s => s.ReadCpuTime().TotalSeconds)]);
    }

    private sealed record Look(double Seconds, DatabaseLook Database, long Accepted, long Completed, IReadOnlyList<double> CpuSeconds);
}
