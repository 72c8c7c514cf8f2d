using System.Numerics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client.Kubernetes;

/// <summary>
/// Publishes the load of this process. Each change costs the API server a write, so only coarse steps are published, at intervals.
/// Failures are logged once and never affect tasks.
/// </summary>
internal sealed partial class DeletionCostService(OwnPod pod, Func<int> running, TimeProvider time, ILogger<DeletionCostService> logger)
    : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>A lower cost is published only after it has lasted this long: a busy worker is briefly idle between tasks.</summary>
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(30);

    private int? _published; // null: the value left by an earlier container is unknown
    private int _cost;
    private long _costAt;
    private long? _triedAt;
    private int _failures;

    /// <summary>0 for an idle process, else the largest power of two not above the number of running tasks.</summary>
    internal static int CostOf(int running) => running <= 0 ? 0 : 1 << BitOperations.Log2((uint)running);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!pod.IsInCluster)
            return;
        if (pod.Missing is { } missing)
        {
            LogMissing(missing);
            return;
        }

        try
        {
            while (true)
            {
                await LookAsync(stoppingToken);
                await Task.Delay(LookEvery, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end.
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var cost = CostOf(running());
        if (cost >= _cost || time.GetElapsedTime(_costAt) >= Calm)
            (_cost, _costAt) = (cost, time.GetTimestamp());
        if (_cost == _published || (_triedAt is { } tried && time.GetElapsedTime(tried) < Pause))
            return;
        _triedAt = time.GetTimestamp();
        try
        {
            await pod.PatchCostAsync(_cost, cancellationToken);
            (_published, _failures) = (_cost, 0);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // no failure here may affect tasks
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (_failures++ == 0)
                LogFailed(fault.Message);
        }
    }

    /// <summary>Minimum delay between patches; doubles with each consecutive failure.</summary>
    private TimeSpan Pause
    {
        get
        {
            var pause = ShortestPause * Math.Pow(2, Math.Min(_failures, 10));
            return pause < LongestPause ? pause : LongestPause;
        }
    }

    [LoggerMessage(LogLevel.Information, "The pod deletion cost is not published: {Missing}")]
    private partial void LogMissing(string missing);

    [LoggerMessage(LogLevel.Warning,
        "Publishing the pod deletion cost failed ({Why}); retrying, further failures are not logged until it succeeds")]
    private partial void LogFailed(string why);
}
