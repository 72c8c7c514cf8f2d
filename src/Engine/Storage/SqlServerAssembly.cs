using System.Reflection;

namespace TaskQueue.Engine.Storage;

/// <summary>The provider of SQL Server, where its assembly lies beside this one.</summary>
internal static class SqlServerAssembly
{
    private const string Name = "TaskQueue.Engine.SqlServer";

    private static readonly Lazy<IStorageProvider?> Found = new(Find);

    /// <summary>The provider, if somebody asked for it; who does not use SQL Server never loads it.</summary>
    public static IStorageProvider? Loaded => Found.IsValueCreated ? Found.Value : null;

    /// <summary>The provider.</summary>
    /// <exception cref="FormatException">This program was built without it.</exception>
    public static IStorageProvider Load() => Found.Value
        ?? throw new FormatException("ConnectionStrings:TaskQueue names a SQL Server, but this program was built without it: build with 'dotnet publish src/Api -c Release -p:SqlServer=true'.");

    private static IStorageProvider? Find()
    {
        try
        {
            return (IStorageProvider)Activator.CreateInstance(Assembly.Load(Name).GetType($"{Name}.SqlServerProvider", throwOnError: true)!)!;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
