using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Events;
using TaskQueue.Engine.Storage;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>
/// Sends callbacks that are due, so many at once; and those of one host only a few, so that a receiver that hangs does not
/// hold up the others. Any number of processes may do it at once.
/// </summary>
internal sealed partial class CallbackService(
    ICallbackStore store, CallbackSender sender, CommitSignals signals, IOptions<WebhookOptions> options, IOptions<EngineOptions> engine,
    TimeProvider time, ILogger<CallbackService> logger) : BackgroundService
{
    private const int MaxPerHost = 4, MaxRemoved = 500;

    /// <summary>Waits after the first, second and third try (bella.md 7.2).</summary>
    private static readonly TimeSpan[] Waits = [TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10)];

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500), RemoveEvery = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, int> _hosts = new();
    private int _free = options.Value.Concurrency;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var removed = time.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (_free > 0 && await TakeAsync(stoppingToken))
                    stoppingToken.ThrowIfCancellationRequested();
                if (time.GetElapsedTime(removed) >= RemoveEvery && await RemoveAsync())
                    removed = time.GetTimestamp();
            }
#pragma warning disable CA1031 // the next round tries again
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogFailed(fault);
            }

            await ((Task)signals.Callbacks.WaitAsync(LookAgain, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Whether there may be more.</returns>
    private async Task<bool> TakeAsync(CancellationToken stop)
    {
        var (now, max) = (Micros.Now(time), _free);
        var taken = await store.TakeAsync(now, now.AddSeconds(options.Value.TimeoutSeconds + 15), max);
        foreach (var callback in taken)
        {
            var host = Uri.TryCreate(callback.Url, UriKind.Absolute, out var uri) ? uri.Authority : callback.Url;
            if (_hosts.AddOrUpdate(host, 1, (_, count) => count + 1) > MaxPerHost)
            {
                Leave(host);
                callback.DueAt = now + LookAgain; // not tried: a place comes free soon
                await store.SettleAsync(callback);
                continue;
            }

            Interlocked.Decrement(ref _free);
            _ = SendAsync(callback, host, stop);
        }

        return taken.Count == max;
    }

    private async Task SendAsync(Callback callback, string host, CancellationToken stop)
    {
        try
        {
            var start = time.GetTimestamp();
            var tried = await sender.SendAsync(callback, stop);
            await store.SettleAsync(Settle(callback, tried, time.GetElapsedTime(start)));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // This process stops; the callback falls due again.
        }
#pragma warning disable CA1031 // it falls due again
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogFailed(fault);
        }
        finally
        {
            Leave(host);
            Interlocked.Increment(ref _free);
            signals.Callbacks.Set();
        }
    }

    private Callback Settle(Callback callback, CallbackTry tried, TimeSpan duration)
    {
        var now = Micros.Now(time);
        var log = JsonNode.Parse(callback.Log)!.AsArray();
        log.Add(new JsonObject
        {
            ["at"] = now, ["status"] = tried.Status, ["error"] = tried.Error, ["duration_ms"] = (long)duration.TotalMilliseconds,
        });
        callback.Log = log.ToJsonString();
        // Tries that were given back unused count too, so the log says how many there were.
        var again = tried.Again && !tried.IsDelivered && log.Count <= Waits.Length;
        callback.State = tried.IsDelivered ? CallbackState.Delivered : again ? CallbackState.Waiting : CallbackState.Failed;
        if (again)
            callback.DueAt = now + Longer(Waits[log.Count - 1], tried.RetryAfter);
        else
            callback.FinishedAt = now;
        if (callback.State == CallbackState.Failed)
            LogGivenUp(callback.Id, callback.SubjectId, tried.Status, tried.Error);
        return callback;
    }

    private static TimeSpan Longer(TimeSpan wait, TimeSpan? asked) => asked > wait ? asked.Value : wait;

    private void Leave(string host)
    {
        if (_hosts.AddOrUpdate(host, 0, (_, count) => count - 1) == 0)
            _hosts.TryRemove(new(host, 0));
    }

    private async Task<bool> RemoveAsync() => await store.RemoveSettledAsync(Micros.Now(time) - engine.Value.KeepFinished, MaxRemoved) < MaxRemoved;

    [LoggerMessage(LogLevel.Warning, "Sending callbacks failed; trying again")]
    private partial void LogFailed(Exception fault);

    [LoggerMessage(LogLevel.Warning, "Callback {Callback} of {Subject} was given up: status {Status}, {Error}")]
    private partial void LogGivenUp(long callback, Guid subject, int? status, string? error);
}
