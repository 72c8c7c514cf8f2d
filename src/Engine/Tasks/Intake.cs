using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Bounds what of this process waits for the database: tasks to accept and commands to apply, by their number and by the memory of
/// their payloads and results. What is above is refused at once, with nothing done, instead of growing with an outage.
/// </summary>
public sealed class Intake(IOptions<EngineOptions> options)
{
    /// <summary>What a command takes beside its texts: its message, its context in the machine, its place in the group.</summary>
    private const int PerCommand = 1024;

    private readonly Lock _gate = new();
    private int _commands;
    private long _bytes;

    /// <summary>Commands that wait.</summary>
    public int Commands => Volatile.Read(ref _commands);

    /// <summary>Takes a place for tasks to accept; give it back when they are committed or refused.</summary>
    /// <exception cref="OverloadedException">There is no room.</exception>
    public Place Enter(IReadOnlyList<TaskSubmission> submissions)
    {
        ArgumentNullException.ThrowIfNull(submissions);
        return Enter(submissions.Count, submissions.Sum(s => (long)s.Payload.Length + (s.Headers?.Length ?? 0)));
    }

    /// <summary>Takes a place for commands.</summary>
    /// <exception cref="OverloadedException">There is no room.</exception>
    public Place Enter(IReadOnlyList<TaskCommand> commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        return Enter(commands.Count, commands.Sum(c => c is CompleteTask { Result: { } result } ? (long)result.Length : 0));
    }

    private Place Enter(int commands, long chars)
    {
        var bytes = (chars * sizeof(char)) + (commands * (long)PerCommand);
        lock (_gate)
        {
            // Whatever its size, one that comes to an empty room gets in.
            if (_commands > 0 && (_commands + commands > options.Value.MaxWaiting || _bytes + bytes > options.Value.MaxWaitingBytes))
                throw new OverloadedException($"{_commands} tasks and reports wait for the database; nothing of this request was done: try again");
            _commands += commands;
            _bytes += bytes;
        }

        return new Place(this, commands, bytes);
    }

    private void Leave(Place place)
    {
        lock (_gate)
        {
            _commands -= place.Commands;
            _bytes -= place.Bytes;
        }
    }

    /// <summary>Room that was taken; disposed once.</summary>
    public sealed class Place : IDisposable
    {
        private readonly Intake _intake;

        internal Place(Intake intake, int commands, long bytes) => (_intake, Commands, Bytes) = (intake, commands, bytes);

        internal int Commands { get; }

        internal long Bytes { get; }

        /// <inheritdoc />
        public void Dispose() => _intake.Leave(this);
    }
}

/// <summary>More waits for the database than may, or waited for longer than it may: nothing was done, and the same may succeed later.</summary>
public sealed class OverloadedException(string message) : Exception(message);
