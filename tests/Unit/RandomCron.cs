namespace TaskQueue.Tests.Unit;

/// <summary>Makes valid five-field cron texts.</summary>
internal static class RandomCron
{
    private static readonly string[] Months = ["jan", "FEB", "Mar", "apr", "MAY", "Jun", "jul", "AUG", "Sep", "oct", "NOV", "Dec"];
    private static readonly string[] Weekdays = ["sun", "MON", "Tue", "wed", "THU", "Fri", "sat"];

    public static string Text(Random random) =>
        $"{Time(random)} {Field(random, Day, 1, 31)} {Field(random, Month, 1, 12)} {Field(random, Weekday, 0, 7)}";

    /// <summary>Minute and hour.</summary>
    public static string Time(Random random) => $"{Field(random, Number, 0, 59)} {Field(random, Number, 0, 23)}";

    private static string Field(Random random, Func<Random, int, string> name, int min, int max)
    {
        if (random.Next(3) == 0)
            return random.Next(4) == 0 && max is 31 or 7 ? "?" : "*";
        return string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => Part(random, name, min, max)));
    }

    private static string Part(Random random, Func<Random, int, string> name, int min, int max)
    {
        var (a, b) = (random.Next(min, max + 1), random.Next(min, max + 1));
        var (start, end) = (Math.Min(a, b), Math.Max(a, b));
        return random.Next(6) switch
        {
            0 => $"{start}-{end}",
            1 => $"{start}-{end}/{random.Next(1, max + 5)}",
            2 => $"*/{random.Next(1, max + 5)}",
            3 => $"{(max == 7 ? start % 7 : start)}/{random.Next(1, max + 5)}",
            _ => name(random, start),
        };
    }

    private static string Number(Random random, int value) => $"{value}";

    private static string Month(Random random, int value) => random.Next(2) == 0 ? Months[value - 1] : $"{value}";

    private static string Day(Random random, int value) => random.Next(4) switch
    {
        0 => "L",
        1 => $"{value}W",
        _ => $"{value}",
    };

    private static string Weekday(Random random, int value)
    {
        var text = random.Next(2) == 0 ? Weekdays[value % 7] : $"{value}";
        return random.Next(4) switch
        {
            0 => text + "L",
            1 => $"{text}#{random.Next(1, 6)}",
            _ => text,
        };
    }
}
