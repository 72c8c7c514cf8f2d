using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Api.Queues;

/// <summary>Position in a list as text: Unix microseconds, those of acceptance if the list has them, and the id.</summary>
internal static class QueueCursor
{
    public static string ToText(TaskCursor cursor) =>
        cursor.AcceptedAt is { } accepted ? $"{Micros.FromTime(cursor.At)}-{Micros.FromTime(accepted)}-{cursor.Id:N}"
            : $"{Micros.FromTime(cursor.At)}-{cursor.Id:N}";

    public static TaskCursor? Parse(string text)
    {
        var parts = text.Split('-');
        if (parts.Length is not (2 or 3) || Time(parts[0]) is not { } at || !Guid.TryParseExact(parts[^1], "N", out var id))
            return null;
        if (parts.Length == 2)
            return new TaskCursor(at, id);
        return Time(parts[1]) is { } accepted ? new TaskCursor(at, id, accepted) : null;
    }

    private static DateTime? Time(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var micros) && micros < Micros.FromTime(DateTime.MaxValue)
            ? Micros.ToTime(micros) : null;
}
