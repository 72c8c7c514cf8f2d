using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// The folder of the SQLite file of a server without <c>ConnectionStrings:TaskQueue</c>: the same one from wherever the program is
/// started.
/// </summary>
/// <param name="Path">The folder; null if a database is configured.</param>
internal sealed record DataFolder(string? Path)
{
    /// <summary>Configuration key of the folder.</summary>
    public const string Key = "TaskQueue:DataFolder";

    /// <summary>The folder that a configuration means.</summary>
    public static DataFolder Of(IConfiguration configuration) =>
        configuration.GetConnectionString("TaskQueue") is not null ? new DataFolder((string?)null)
        : configuration[Key] is { Length: > 0 } own ? new DataFolder(System.IO.Path.GetFullPath(own))
        : new DataFolder(Default());

    /// <summary>Connection string of the file in the folder.</summary>
    public string ConnectionString => $"Data Source={System.IO.Path.Combine(Path!, "taskqueue.db")}";

    /// <summary>Creates the folder if it is used and missing.</summary>
    /// <exception cref="StartupException">It cannot be created.</exception>
    public void Create()
    {
        try
        {
            if (Path is not null)
                Directory.CreateDirectory(Path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"cannot create the data folder {Path}: {fault.Message} (set {Key} to another one, or "
                + "ConnectionStrings:TaskQueue)");
        }
    }

    /// <summary>Beside the data of the user's other programs; without a home, in the current folder.</summary>
    private static string Default() =>
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify)
            is { Length: > 0 } home ? System.IO.Path.Combine(home, "taskqueue") : System.IO.Path.GetFullPath("taskqueue-data");
}
