using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine.Storage;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Telemetry;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// Applies the outcomes of this process's attempts at upstreams, as many together as wait when the last ones were committed.
/// While the database is away they wait, and with them those who bring more.
/// </summary>
internal sealed partial class OutcomeReporter(TaskService taskService, DependencyHealth dependencies, TimeProvider time, ILogger<OutcomeReporter> logger)
{
    private const int MaxWaiting = 1000, MaxTogether = 250;
    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(500);

    private readonly Channel<AttemptCommand> _waiting = Channel.CreateBounded<AttemptCommand>(new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    public ValueTask ReportAsync(AttemptCommand outcome) => _waiting.Writer.WriteAsync(outcome);

    /// <summary>No outcome follows.</summary>
    public void Complete() => _waiting.Writer.Complete();

    /// <summary>Runs until everything is reported.</summary>
    /// <param name="giveUp">What can still not be reported is left: its leases expire.</param>
    public async Task RunAsync(CancellationToken giveUp)
    {
        while (await _waiting.Reader.WaitToReadAsync(CancellationToken.None))
        {
            var outcomes = new List<AttemptCommand>();
            while (outcomes.Count < MaxTogether && _waiting.Reader.TryRead(out var outcome))
                outcomes.Add(outcome);
            while ((outcomes = await ApplyAsync(outcomes)).Count > 0 && !giveUp.IsCancellationRequested)
                await Task.Delay(AfterFault, time, giveUp).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Those to try again.</returns>
    private async Task<List<AttemptCommand>> ApplyAsync(List<AttemptCommand> outcomes)
    {
        var again = await Task.WhenAll(outcomes.Select(ApplyAsync)); // the group commit takes them together
        return [.. outcomes.Where((_, i) => again[i])];
    }

    private async Task<bool> ApplyAsync(AttemptCommand outcome)
    {
        try
        {
            await taskService.ApplyAsync([outcome]);
            if (outcome.CommandResult is not (CommandResult.Applied or CommandResult.Duplicate))
                LogRefused(outcome.CorrelationId, outcome.Attempt, outcome.CommandResult);
            return false;
        }
#pragma warning disable CA1031 // one that cannot be applied must not hold up the others
        catch (Exception fault)
#pragma warning restore CA1031
        {
            var again = StorageFaults.IsTransient(fault);
            if (!dependencies.TryHandle(fault))
                LogFailed(fault, outcome.CorrelationId, outcome.Attempt, again);
            return again;
        }
    }

    [LoggerMessage(LogLevel.Information, "The outcome of task {TaskId} attempt {Attempt} was refused: {CommandResult}")]
    private partial void LogRefused(Guid taskId, int attempt, CommandResult commandResult);

    [LoggerMessage(LogLevel.Warning, "The outcome of task {TaskId} attempt {Attempt} was not applied; tried again: {Again}")]
    private partial void LogFailed(Exception fault, Guid taskId, int attempt, bool again);
}
