using TaskQueue.Http.Errors;

namespace TaskQueue.Api.Workers;

/// <summary>Bounds what the invalid entries of a request cost: a small body could hold a thousand.</summary>
internal sealed class InvalidEntries
{
    private const int Max = 100;

    private int _count;

    /// <exception cref="ApiException">400: the request has too many invalid entries.</exception>
    public ReadEntry Check(ReadEntry entry, int index) =>
        entry.Problem is { } problem && ++_count > Max
            ? throw WorkerCalls.Wrong($"more than {Max} entries are invalid, so none was applied; tasks[{index}]: {problem.Message}")
            : entry;
}
