using System.Security.Cryptography;
using System.Text;
using Hangfire.Common;

namespace TaskQueue.Client;

/// <summary>Names of types, tasks and schedules.</summary>
internal static class JobNames
{
    /// <summary>Begins the name of every task that is a job.</summary>
    public const string Prefix = "hangfire:";

    private const int MaxTask = 256, MaxSchedule = 128, MaxKey = 100, HashLength = 16;

    /// <summary>A type in payloads: full name and assembly, without versions. It is compared, and never resolved.</summary>
    public static string Of(Type type) => TypeHelper.SimpleAssemblyTypeSerializer(type);

    /// <summary>A type for people.</summary>
    public static string Readable(Type type) => type.ToString().Replace('+', '.');

    /// <summary>The name of the tasks of a method.</summary>
    public static string TaskOf(Type type, string method) => Short($"{Prefix}{Readable(type)}.{method}", MaxTask);

    /// <summary>The schedule of a recurring job: its id, or a name made of it if a schedule cannot be called that.</summary>
    public static string ScheduleOf(string recurringJobId)
    {
        var clean = string.Concat(recurringJobId.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-'));
        return clean == recurringJobId && clean.Length <= MaxSchedule
            ? clean : $"{clean[..Math.Min(clean.Length, MaxSchedule - HashLength - 1)]}-{Hash(recurringJobId)}";
    }

    /// <summary>The ordering key of jobs that need a resource alone.</summary>
    public static string KeyOf(string resource) =>
        resource.Any(char.IsControl) ? $"{Prefix}{Hash(resource)}" : Short(Prefix + resource, MaxKey);

    /// <summary>64 bits of a text, in hexadecimal digits.</summary>
    public static string Hash(string text) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..HashLength];

    private static string Short(string text, int max) =>
        text.Length <= max ? text : $"{LogText.Cut(text, max - HashLength - 1)}~{Hash(text)}";
}
