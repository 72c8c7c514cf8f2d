using System.Globalization;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Api.Queues;

/// <summary>Position in a list as text: Unix microseconds and the id.</summary>
internal static class QueueCursor
{
    public static string ToText(TaskCursor cursor) => $"{Micros.FromTime(cursor.At)}-{cursor.Id:N}";

    public static TaskCursor? Parse(string text) =>
        text.Split('-') is [var at, var id] && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
            && micros < Micros.FromTime(DateTime.MaxValue)
            && Guid.TryParseExact(id, "N", out var guid)
            ? new TaskCursor(Micros.ToTime(micros), guid)
            : null;
}
