namespace TaskQueue.Bench.Reporting;

/// <summary>Unit of a figure: rates and megabytes are shown as integers, times with two decimals.</summary>
/// <param name="Name">Shown after the number.</param>
/// <param name="Format">Format of the number.</param>
internal sealed record Unit(string Name, string Format)
{
    public static Unit TasksPerSecond { get; } = new("tasks/s", "#,0");

    public static Unit RowsPerSecond { get; } = new("rows/s", "#,0");

    public static Unit MessagesPerSecond { get; } = new("messages/s", "#,0");

    public static Unit EventsPerSecond { get; } = new("events/s", "#,0");

    public static Unit MicrosecondsPerEvent { get; } = new("µs/event", "#,0.00");

    public static Unit LinesPerSecond { get; } = new("lines/s", "#,0");

    public static Unit Seconds { get; } = new("s", "#,0.00");

    public static Unit Milliseconds { get; } = new("ms", "#,0.00");

    public static Unit MicrosecondsPerTask { get; } = new("µs/task", "#,0.0");

    public static Unit BytesPerTask { get; } = new("bytes/task", "#,0");

    public static Unit Megabytes { get; } = new("MB", "#,0");

    public string Show(double value) => $"{value.ToString(Format)} {Name}";
}

/// <summary>Samples of one quantity.</summary>
internal sealed record Series(IReadOnlyList<double> Samples, Unit Unit)
{
    public double Median => Statistics.Median(Samples);

    public override string ToString() =>
        Samples.Count == 1 ? Unit.Show(Median)
            : $"{Unit.Show(Median)} ({Samples.Min().ToString(Unit.Format)}–{Samples.Max().ToString(Unit.Format)})";
}

/// <summary>Reference of a figure, measured in the same run.</summary>
internal sealed record Reference(string Name, Series Series);

/// <summary>Goal for a figure, or for its ratio to the reference.</summary>
internal sealed record Goal(bool OfRatio, bool AtLeast, double Bound)
{
    public static Goal RatioAtLeast(double bound) => new(OfRatio: true, AtLeast: true, bound);

    public static Goal RatioAtMost(double bound) => new(OfRatio: true, AtLeast: false, bound);

    public static Goal ValueAtLeast(double bound) => new(OfRatio: false, AtLeast: true, bound);

    public static Goal ValueAtMost(double bound) => new(OfRatio: false, AtLeast: false, bound);

    public bool IsReached(Figure figure)
    {
        var value = OfRatio ? figure.Ratio : figure.Measured.Median;
        return AtLeast ? value >= Bound : value <= Bound;
    }

    public string Show(Unit unit) =>
        (OfRatio ? "ratio " : "") + (AtLeast ? "≥ " : "≤ ") + (OfRatio ? $"{Bound}" : $"{Bound:#,0} {unit.Name}");
}

/// <summary>A row of the report.</summary>
internal sealed record Figure(string Name, Series Measured, Reference? Reference = null, params IReadOnlyList<Goal> Goals)
{
    /// <summary>Ratio of the medians.</summary>
    public double? Ratio => Reference is null ? null : Measured.Median / Reference.Series.Median;
}
