using System.Numerics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Client.Kubernetes;

/// <summary>
/// Publishes how busy this process is. Each change costs the API server a write, so only coarse steps are told, and seldom; what
/// goes wrong is said once and hurts nobody.
/// </summary>
internal sealed partial class DeletionCostService(OwnPod pod, Func<int> running, TimeProvider time, ILogger<DeletionCostService> logger)
    : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>Less counts only once it has been less for so long: between two tasks a busy worker is no idle one.</summary>
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(30);

    private int? _published; // of a life of the container before this one nothing is known
    private int _cost;
    private long _costAt;
    private long? _triedAt;
    private int _failures;

    /// <summary>0 for an idle process, else the largest power of two that is no more than what runs.</summary>
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
#pragma warning disable CA1031 // whatever it is, tasks go on
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (_failures++ == 0)
                LogFailed(fault.Message);
        }
    }

    /// <summary>Longer with each failure in a row.</summary>
    private TimeSpan Pause
    {
        get
        {
            var pause = ShortestPause * Math.Pow(2, Math.Min(_failures, 10));
            return pause < LongestPause ? pause : LongestPause;
        }
    }

    [LoggerMessage(LogLevel.Information, "Kubernetes is not told how busy this pod is: {Missing}")]
    private partial void LogMissing(string missing);

    [LoggerMessage(LogLevel.Warning,
        "Kubernetes could not be told how busy this pod is ({Why}); going on to try, and saying no more of it until it works again")]
    private partial void LogFailed(string why);
}
