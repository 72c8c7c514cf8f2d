using Microsoft.Extensions.Options;
using TaskQueue.Engine.Memory;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Bounds the submits and commands of this process that wait for the database, by their number and by the memory of their texts, which is
/// a share of the budget. Excess requests are refused at once with nothing done, instead of accumulating during an
/// outage. Texts of a request whose body is already counted are not counted again.
/// </summary>
public sealed class AdmissionLimiter(IOptions<EngineOptions> options, MemoryBudget budget)
{
    /// <summary>Overhead of a command beside its texts: its message, its context in the state machine, its entry in the group.</summary>
    private const int PerCommand = 1024;

    private readonly Lock _lock = new();
    private int _commands;

    /// <summary>Number of waiting commands.</summary>
    public int Commands => Volatile.Read(ref _commands);

    /// <summary>Acquires a place for submissions; dispose it when they are committed or refused.</summary>
    /// <exception cref="OverloadedException">The limit is reached.</exception>
    public Place Enter(IReadOnlyList<TaskSubmission> submissions)
    {
        ArgumentNullException.ThrowIfNull(submissions);
        return Enter(submissions.Count, submissions.Sum(s => (long)s.Payload.Length + (s.Headers?.Length ?? 0)));
    }

    /// <summary>Acquires a place for commands.</summary>
    /// <exception cref="OverloadedException">The limit is reached.</exception>
    public Place Enter(IReadOnlyList<TaskCommand> commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        return Enter(commands.Count, commands.Sum(c => (long)c.Chars));
    }

    private Place Enter(int commands, long chars)
    {
        var bytes = (chars * sizeof(char)) + (commands * (long)PerCommand);
        lock (_lock)
        {
            // If nothing waits, a request is admitted whatever its number of commands or size.
            if (_commands > 0 && _commands + commands > options.Value.MaxWaiting)
                throw Overloaded();
            _commands += commands;
        }

        if (MemoryScope.Covers(bytes))
            return new Place(this, commands, null);
        if (budget.Commands.TryReserve(bytes) is { } memory)
            return new Place(this, commands, memory);
        Leave(commands);
        throw Overloaded();
    }

    private OverloadedException Overloaded() =>
        new($"{Commands} tasks and reports wait for the database; nothing of this request was done: try again");

    private void Leave(int commands)
    {
        lock (_lock)
            _commands -= commands;
    }

    /// <summary>A reservation; dispose it once.</summary>
    public sealed class Place : IDisposable
    {
        private readonly AdmissionLimiter _admission;
        private readonly int _commands;
        private readonly MemoryLease? _memory;

        internal Place(AdmissionLimiter admission, int commands, MemoryLease? memory) =>
            (_admission, _commands, _memory) = (admission, commands, memory);

        /// <inheritdoc />
        public void Dispose()
        {
            _memory?.Dispose();
            _admission.Leave(_commands);
        }
    }
}
