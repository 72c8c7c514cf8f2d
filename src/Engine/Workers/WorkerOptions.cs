using System.ComponentModel.DataAnnotations;

namespace TaskQueue.Engine.Workers;

/// <summary>Section <c>TaskQueue:Workers</c>: the registry of workers.</summary>
public sealed class WorkerOptions
{
    private const string Section = "TaskQueue:Workers";

    /// <summary>Seconds of silence after which a worker counts as lost. Must exceed the longest wait of a claim, 30 seconds.</summary>
    /// <value>60; 35 to 3,600.</value>
    [Range(35, 3600, ErrorMessage = Section + ":LostAfterSeconds must be 35 to 3600")]
    public int LostAfterSeconds { get; set; } = 60;

    /// <summary>Hours for which lost and stopped workers are listed.</summary>
    /// <value>24; 1 to 8,760.</value>
    [Range(1, 8760, ErrorMessage = Section + ":KeepHours must be 1 to 8760")]
    public int KeepHours { get; set; } = 24;

    /// <summary>Workers that a process remembers; further ones work, but are not listed.</summary>
    /// <value>10,000; 100 to 1,000,000.</value>
    [Range(100, 1_000_000, ErrorMessage = Section + ":MaxWorkers must be 100 to 1000000")]
    public int MaxWorkers { get; set; } = 10_000;

    /// <summary>Same for the workers of a tenant; also the number that is kept in the database.</summary>
    /// <value>1,000; 10 to 100,000.</value>
    [Range(10, 100_000, ErrorMessage = Section + ":MaxPerTenant must be 10 to 100000")]
    public int MaxPerTenant { get; set; } = 1000;

    internal TimeSpan LostAfter => TimeSpan.FromSeconds(LostAfterSeconds);
}
